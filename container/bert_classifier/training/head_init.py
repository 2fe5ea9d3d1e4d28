"""Before the first step: the last layer as a weakly fitted logistic regression on its inputs from the frozen encoder.

With C = 0.01 the head points the right way and leaves the encoder a gradient; with C = 1 hardly any is left.
"""

import logging
import time

import numpy as np
import torch

from bert_classifier.errors import UserError
from bert_classifier.job.task import Task
from bert_classifier.modeling.frozen_features import HeadInputs, evaluation_mode
from bert_classifier.modeling.label_regressions import LabelRegressions
from bert_classifier.modeling.logistic_regression import LogisticRegression
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

_C = 0.01
_FIRST_WINDOW = np.arange(1)


def start_head(trainer: Trainer) -> None:
    """Set the last layer if head_init asks for it and the run has not begun; the same on all ranks.

    Raises:
        UserError: when the model's logits do not come from a linear layer, or what it reads is not finite.
        Stopped: after a stop signal.
    """
    if trainer.config.head_init != "logistic_regression" or trainer.state.step:
        return
    started = time.monotonic()
    texts = sample_texts(trainer.train, trainer.config.seed, affordable_tokens(trainer), every_class=True)
    try:
        check_work(trainer, len(texts))
    except ValueError as error:
        logger.warning("head: it starts at random, in spite of head_init=logistic_regression: %s", error)
        return
    name, vectors = _inputs_of_head(trainer, texts)
    head = trainer.model.get_submodule(name)
    assert isinstance(head, torch.nn.Linear)
    if trainer.distributed.is_first:
        _set(head, *_fitted(trainer, vectors, trainer.train.targets[texts]))
    trainer.distributed.broadcast([parameter.data for parameter in head.parameters()])
    logger.info(
        "head: %s starts as a logistic regression (C = %g) on the frozen encoder, fitted on %s of %s training texts in"
        " %.1f s", name, _C, f"{len(texts):,}", f"{len(trainer.train.targets):,}", time.monotonic() - started,
    )  # fmt: skip


def _inputs_of_head(trainer: Trainer, texts: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the last layer's name and what it reads of each text, the mean over its windows, without dropout."""
    trainer.engine.publish_all()
    forward, encoded = trainer.forward, trainer.train.encoded
    with evaluation_mode(forward.model):
        try:
            inputs = HeadInputs(forward, trainer.num_classes)
            width = width_on_all_ranks(trainer, lambda: inputs.check(encoded, _FIRST_WINDOW))
        except ValueError as error:
            raise _does_not_suit(str(error)) from error
        vectors = vectors_of(trainer, inputs, forward, encoded.take(texts), width)
    reason = unusable(vectors)
    if reason:  # on all ranks, before the first one fits alone
        raise _does_not_suit(reason)
    return inputs.name, vectors


def _does_not_suit(reason: str) -> UserError:
    return UserError(
        f"head_init=logistic_regression does not suit this model: {reason}.", "Leave head_init out."
    )


def _fitted(trainer: Trainer, vectors: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of all classes; on the mean text, those without a text are as likely as the rarest.

    With several labels per text, each has a regression of its own.
    """
    if Task.of(targets) is Task.MULTI:
        labels = LabelRegressions.fit(vectors, targets, c=_C, weights=weights_of(trainer, targets))
        return labels.weight, labels.bias
    found = LogisticRegression.fit(vectors, targets, c=_C, weights=weights_of(trainer, targets))
    at_mean = found.weight @ vectors.mean(axis=0, dtype=np.float64) + found.bias
    weight = np.zeros((trainer.num_classes, vectors.shape[1]))
    bias = np.full(trainer.num_classes, at_mean.min())
    weight[found.classes], bias[found.classes] = found.weight, found.bias
    return weight, bias


def _set(head: torch.nn.Linear, weight: np.ndarray, bias: np.ndarray) -> None:
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(bias))
