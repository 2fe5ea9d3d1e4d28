"""The texts behind the most frequent confusions, few enough for a page."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.quoted_texts import in_one

MOST_PAIRS = 15
MOST_TEXTS = 8  # of a pair
_LONGEST_TEXT = 280  # characters


@dataclasses.dataclass(frozen=True)
class ConfusedText:
    """A text that was predicted wrongly.

    Attributes:
        index: of the text in its channel.
        text: shortened.
        score: of the predicted class, from 0 to 1.
        label_score: of the true class.
    """

    index: int
    place: str
    text: str
    score: float
    label_score: float


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A class taken for another.

    Attributes:
        label: index of the true class.
        predicted: index of the predicted class.
        count: texts so confused.
        share: fraction of the true class's texts.
        texts: those with the highest scores, at most MOST_TEXTS.
    """

    label: int
    predicted: int
    count: int
    share: float
    texts: Sequence[ConfusedText]


def confused_pairs(matrix: np.ndarray) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with the most mistakes, at most MOST_PAIRS, from a confusion matrix."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [divmod(flat, len(wrong)) for flat in order.tolist()]
    return [pair for pair in pairs if wrong[pair]]


def confusions(matrix: np.ndarray, mistakes: Sequence[LabelIssue], records: Records) -> list[Confusion]:
    """Return the most frequent confusions with their texts.

    Args:
        matrix: texts by class, int64 (classes, classes); row = true class.
        mistakes: all wrong predictions, the highest score first.
    """
    pairs = confused_pairs(matrix)
    found: Mapping[tuple[int, int], list[LabelIssue]] = {pair: [] for pair in pairs}
    for issue in mistakes:
        of_pair = found.get((issue.label, issue.answer))
        if of_pair is not None and len(of_pair) < MOST_TEXTS:
            of_pair.append(issue)
    totals = matrix.sum(axis=1).tolist()
    return [
        Confusion(
            label=label,
            predicted=predicted,
            count=int(matrix[label, predicted]),
            share=int(matrix[label, predicted]) / totals[label],
            texts=[_confused(issue, records) for issue in found[label, predicted]],
        )
        for label, predicted in pairs
    ]


def _confused(issue: LabelIssue, records: Records) -> ConfusedText:
    text = in_one(records.texts[issue.index], _LONGEST_TEXT)
    return ConfusedText(issue.index, records.places[issue.index], text, issue.answer_score, issue.label_score)
