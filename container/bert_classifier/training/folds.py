"""The folds of a cross-validation: every training text is judged by a model that was trained on the other folds.

The folds are a function of labels, seed and their number alone: all ranks and all attempts of a job have the same.
"""

import dataclasses
import hashlib

import numpy as np

from bert_classifier.data.stratified import folds_of_sets
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.training.batching import Split, derive_seed
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.recipe import Recipe

_ONLY_AT_THE_END = 1_000_000_000  # eval_steps above any number of steps


def assign_folds(targets: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each text, int64 (n,), from 0.

    Stratified: the texts of each class are spread over the folds as evenly as possible, and the folds differ by at most
    one text. A class with fewer texts than folds is in as many folds as it has texts.

    Args:
        targets: class of each text, int64 (n,), n ≥ folds; or uint8 (n, classes), where each fold gets its share of
            every label as far as texts with several allow it.
    """
    draw = np.random.Generator(np.random.Philox(derive_seed(seed, "folds", folds)))
    if Task.of(targets) is Task.MULTI:
        return folds_of_sets(targets, folds, draw)
    order = [draw.permutation(np.flatnonzero(targets == target)) for target in np.unique(targets)]
    assigned = np.empty(len(targets), dtype=np.int64)
    # The classes in turn without a gap, so that the remainders do not all fall into the first folds.
    assigned[np.concatenate(order)] = np.arange(len(targets)) % folds
    return assigned


def judging_train(prepared: PreparedData) -> PreparedData:
    """Return a cross-validated job's data: its training texts are its validation texts, in the same order."""
    splits, digests = dict(prepared.splits), dict(prepared.fingerprints)
    train = {"train": splits.pop("train")}
    return dataclasses.replace(
        prepared,
        splits={**train, "validation": train["train"], **splits},
        fingerprints={**digests, "validation": digests["train"]},
    )


def without_validation(prepared: PreparedData) -> PreparedData:
    """Return the data for the exported model of a cross-validation: all training texts, and none to judge."""
    train = prepared.splits["train"]
    return _data(
        prepared, train, _take(train, np.zeros(0, dtype=np.int64)), prepared.fingerprints["train"], ""
    )


def fold_of(prepared: PreparedData, judged: np.ndarray) -> PreparedData:
    """Return the data of one fold: its model judges these training texts and is trained on the others.

    Args:
        judged: bool (n,).
    """
    train, digest = prepared.splits["train"], prepared.fingerprints["train"]
    parts = [np.flatnonzero(~judged), np.flatnonzero(judged)]
    names = [hashlib.sha256(digest.encode() + part.tobytes()).hexdigest() for part in parts]
    return _data(prepared, _take(train, parts[0]), _take(train, parts[1]), *names)


def recipe_of_fold(config: TrainConfig, recipe: Recipe, total_steps: int, num_texts: int) -> TrainConfig:
    """Return the settings of a fold: those of the exported model, with as many steps as that has, or nearly.

    Its recipe is not chosen anew for the fold's fewer texts, which might get another batch size. Where the epochs were
    chosen automatically, those are taken that come nearest to the exported model's steps; epochs set by hand stay.

    Args:
        recipe: of the exported model.
        total_steps: of the exported model.
        num_texts: training texts of the fold.
    """
    chosen = {name: getattr(recipe, name) for name in recipe.automatic}
    if "num_train_epochs" in chosen:
        steps_per_epoch = -(-num_texts // recipe.global_batch_size)
        chosen["num_train_epochs"] = max(1, round(total_steps / steps_per_epoch))
    return dataclasses.replace(config, **chosen, eval_steps=_ONLY_AT_THE_END, keep_weights="last")


def _data(
    prepared: PreparedData, train: Split, validation: Split, train_digest: str, validation_digest: str
) -> PreparedData:
    return dataclasses.replace(
        prepared,
        splits={"train": train, "validation": validation},
        fingerprints={"train": train_digest, "validation": validation_digest},
    )


def _take(split: Split, indices: np.ndarray) -> Split:
    return Split(split.encoded.take(indices), np.array(split.targets)[indices])
