"""Texts with wrong labels: those that the model answers wrongly, and labels that the data may have wrong."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bert_classifier.evaluation.label_issues import likely_label_errors
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

    @property
    def margin(self) -> float:
        """How much more the score speaks for the other answer, from -1 to 1."""
        return 1 - 2 * self.score if self.is_given else 2 * self.score - 1


def label_set_mistakes(probabilities: np.ndarray, answers: LabelPredictions) -> list[LabelSetMistake]:
    """Return the texts with a missed or a false label, the surest mistake first.

    Args:
        probabilities: float64 (n, classes).
    """
    errors = np.where(answers.false, probabilities, np.where(answers.missed, 1 - probabilities, 0.0))
    worst = errors.max(axis=1, initial=0.0)
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


def label_doubts(probabilities: np.ndarray, targets: np.ndarray) -> list[LabelDoubt]:
    """Return the labels that confident learning finds wrong, the likeliest first.

    Each label by itself is a choice of two: a text has it, or has it not. See `likely_label_errors`.

    Args:
        probabilities: float64 (n, classes), of a model that was not trained on these texts.
        targets: uint8 (n, classes), the labels as given.
    """
    found = []
    for label, (scores, actual) in enumerate(zip(probabilities.T, targets.T, strict=True)):
        both = np.stack([1 - scores, scores], axis=1)
        found += [
            LabelDoubt(issue.index, label, bool(issue.label), float(scores[issue.index]))
            for issue in likely_label_errors(both, actual.astype(np.int64))
        ]
    return sorted(found, key=lambda doubt: -doubt.margin)
