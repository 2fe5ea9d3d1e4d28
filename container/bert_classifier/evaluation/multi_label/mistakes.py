"""Texts with wrong labels: those that the model answers wrongly, and labels that the data may have wrong."""

import dataclasses
from collections.abc import Sequence
from typing import overload

import numpy as np

from bert_classifier.evaluation.label_issues import doubted_labels
from bert_classifier.evaluation.metrics import slices_of
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions


@dataclasses.dataclass(frozen=True)
class LabelSetMistake:
    """A text that is not answered with exactly its labels.

    Attributes:
        index: of the text in its channel.
        missed: labels that it has and does not get, as indices.
        false: labels that it gets and does not have.
        error: how far the worst of their scores is wrong, from 0 to 1.
    """

    index: int
    missed: Sequence[int]
    false: Sequence[int]
    error: float


@dataclasses.dataclass(frozen=True)
class LabelDoubt:
    """A label that a text has or lacks in the data, and should not by the model.

    Attributes:
        index: of the text in its channel.
        label: as an index.
        is_given: whether the text has it in the data.
        score: the model's score for it, from 0 to 1.
    """

    index: int
    label: int
    is_given: bool
    score: float


@dataclasses.dataclass(frozen=True, eq=False)
class LabelDoubts(Sequence[LabelDoubt]):
    """Labels that are likely wrong, the likeliest first; of many, an object is made only where it is looked at.

    Attributes:
        indices: int64 (k,), of the text of each.
        labels: int64 (k,).
        are_given: bool (k,).
        scores: float64 (k,).
    """

    indices: np.ndarray
    labels: np.ndarray
    are_given: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, which: int) -> LabelDoubt: ...

    @overload
    def __getitem__(self, which: slice) -> list[LabelDoubt]: ...

    def __getitem__(self, which: int | slice) -> LabelDoubt | list[LabelDoubt]:
        """Return one of them, or some."""
        if isinstance(which, slice):
            return [self[each] for each in range(*which.indices(len(self)))]
        index, label = int(self.indices[which]), int(self.labels[which])
        return LabelDoubt(index, label, bool(self.are_given[which]), float(self.scores[which]))


def label_set_mistakes(probabilities: np.ndarray, answers: LabelPredictions) -> list[LabelSetMistake]:
    """Return the texts with a missed or a false label, the surest mistake first.

    Args:
        probabilities: float64 (n, classes).
    """
    worst = np.zeros(len(probabilities))
    for part in slices_of(probabilities):
        scores = probabilities[part]
        errors = np.where(answers.false[part], scores, np.where(answers.missed[part], 1 - scores, 0.0))
        worst[part] = errors.max(axis=1, initial=0.0)
    wrong = np.flatnonzero(~answers.are_exact)
    return [
        LabelSetMistake(
            index,
            np.flatnonzero(answers.missed[index]).tolist(),
            np.flatnonzero(answers.false[index]).tolist(),
            float(worst[index]),
        )
        for index in wrong[np.argsort(-worst[wrong], kind="stable")].tolist()
    ]


def label_doubts(probabilities: np.ndarray, targets: np.ndarray) -> LabelDoubts:
    """Return the labels that confident learning finds wrong, the likeliest first.

    Each label by itself is a choice of two: a text has it, or has it not. See `likely_label_errors`. They are ranked by
    how much more the score speaks for the other answer.

    Args:
        probabilities: float64 (n, classes), of a model that was not trained on these texts.
        targets: uint8 (n, classes), the labels as given.
    """
    doubted = [
        doubted_labels(np.stack([1 - scores, scores], axis=1), actual.astype(np.int64))[0]
        for scores, actual in zip(probabilities.T, targets.T, strict=True)
    ]
    labels = np.repeat(np.arange(len(doubted)), [len(each) for each in doubted])
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *doubted])
    scores, are_given = probabilities[indices, labels], targets[indices, labels] == 1
    order = np.argsort(np.where(are_given, 2 * scores - 1, 1 - 2 * scores), kind="stable")
    return LabelDoubts(indices[order], labels[order], are_given[order], scores[order])
