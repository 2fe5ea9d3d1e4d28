"""Precision and recall by threshold, for one label or over all of them."""

import dataclasses

import numpy as np

from bert_classifier.evaluation.abstention import coverage_curve

MOST_POINTS = 200


@dataclasses.dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision and recall of the labels at and above each threshold, from the highest down, float64 (k,) each."""

    precision: np.ndarray
    recall: np.ndarray


def precision_recall_curve(scores: np.ndarray, are_actual: np.ndarray) -> PrecisionRecallCurve:
    """Return the curve of n answers with their scores, float (n,), and whether each is right, bool (n,).

    Of more than MOST_POINTS thresholds, as many are kept. Without a right answer, recall is 0.
    """
    curve = coverage_curve(scores, are_actual)
    kept = np.unique(np.linspace(0, max(0, len(curve.accepted) - 1), MOST_POINTS).astype(np.int64))
    kept = kept[: len(curve.accepted)]
    right = curve.right[kept]
    return PrecisionRecallCurve(right / curve.accepted[kept], right / max(1, int(are_actual.sum())))
