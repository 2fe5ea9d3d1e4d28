"""Before the first step: a logistic regression on the frozen encoder, the floor that fine-tuning must not stay below.

Of each channel it takes at most 1,000 texts, and fewer on a CPU if the encoder is large: no more than one pass over the
training texts and one evaluation.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from bert_classifier.evaluation.any_headline import AnyFloor
from bert_classifier.evaluation.floor import Floor
from bert_classifier.evaluation.multi_label.floor import LabelFloor
from bert_classifier.job.task import Task
from bert_classifier.modeling.frozen_features import evaluation_mode, mean_pooled
from bert_classifier.modeling.label_regressions import LabelRegressions
from bert_classifier.modeling.logistic_regression import LogisticRegression
from bert_classifier.training.batching import Split
from bert_classifier.training.floor_scores import floor_from, score_of
from bert_classifier.training.frozen_texts import (
    affordable_tokens,
    check_work,
    unusable,
    vectors_of,
    weights_of,
    width_on_all_ranks,
)
from bert_classifier.training.text_sample import sample_texts
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_FIRST_WINDOW = np.arange(1)


def note_floor(trainer: Trainer, splits: Mapping[str, Split]) -> None:
    """Compute the floor before the first step and record it in the history; log it in every attempt that trains.

    Weights, modes of modules and random generators are afterwards as before. A run that an earlier version began has no
    floor: its encoder is no longer the pretrained one.

    Args:
        splits: the channels; train, and validation or test or both.
    Raises:
        Stopped: after a stop signal.
    """
    if trainer.is_finished:
        return
    if trainer.history.floor is None and not trainer.state.step:
        try:
            trainer.history.floor = _compute(trainer, splits)
        except ValueError as error:
            logger.info("no floor by a logistic regression on the frozen encoder: %s", error)
    floor = floor_of(trainer)
    if floor is not None:
        texts = f"{floor.trained_on:,} of {len(trainer.train.targets):,} training texts"
        channel = "validation" if "validation" in floor.channels else "test"
        logger.info("floor: %s, fitted on %s in %.1f s", floor.sentence(channel), texts, floor.seconds)


def floor_of(trainer: Trainer) -> AnyFloor | None:
    """Return the floor of a run; None if there is none."""
    recorded = trainer.history.floor
    return None if recorded is None else floor_from(recorded, trainer.train.targets)


def _compute(trainer: Trainer, splits: Mapping[str, Split]) -> dict[str, Any]:
    """Return the floor as JSON, the same on all ranks; the first one fits it.

    Raises:
        ValueError: on all ranks, when the model has no encoder that gives a hidden state per token, or one that gives
            no finite values, or there are too many labels.
    """
    started = time.monotonic()
    texts = _samples(trainer, splits)
    check_work(trainer, len(texts["train"]))
    trainer.engine.publish_all()
    pooled = mean_pooled(trainer.forward)
    with evaluation_mode(pooled.model):
        width = width_on_all_ranks(trainer, lambda: pooled(trainer.train.encoded, _FIRST_WINDOW).shape[1])
        vectors = {
            name: vectors_of(trainer, pooled, pooled, splits[name].encoded.take(indices), width)
            for name, indices in texts.items()
        }
    # Before the first rank fits alone: an error there would leave the others waiting.
    reason = next(filter(None, map(unusable, vectors.values())), "")
    if reason:
        raise ValueError(reason)
    floor = _scored(trainer, splits, texts, vectors, started) if trainer.distributed.is_first else None
    recorded: dict[str, Any] = trainer.distributed.all_gather_json(floor)[0]
    return recorded


def _samples(trainer: Trainer, splits: Mapping[str, Split]) -> dict[str, np.ndarray]:
    """Return the texts of each channel that are used: half of what is affordable for training, half for scoring."""
    half = affordable_tokens(trainer) // 2
    shares = {name: half if name == "train" else half // (len(splits) - 1) for name in splits}
    return {
        name: sample_texts(split, trainer.config.seed, shares[name], every_class=name == "train")
        for name, split in splits.items()
    }


def _scored(
    trainer: Trainer,
    splits: Mapping[str, Split],
    texts: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    started: float,
) -> dict[str, Any]:
    targets = {name: splits[name].targets[indices] for name, indices in texts.items()}
    is_multi = Task.of(targets["train"]) is Task.MULTI
    fit = LabelRegressions.fit if is_multi else LogisticRegression.fit
    regression = fit(vectors["train"], targets["train"], weights=weights_of(trainer, targets["train"]))
    channels: dict[str, Any] = {
        name: score_of(texts[name], regression.predict(vectors[name]), targets[name], trainer.num_classes)
        for name in splits
        if name != "train"
    }
    kind = LabelFloor if is_multi else Floor
    return kind(len(texts["train"]), time.monotonic() - started, channels).as_json()
