"""Calibration where a text has any number of labels: of the labels with a score of 0.9, nine in ten should be there.

One temperature divides all logits before the sigmoid, fitted on validation by binary cross-entropy. The calibration
error is that of each class by itself (classwise: Kull et al. 2019, Beyond temperature scaling, section 2), in bins of
equal width as for one label per text.
"""

import functools
from typing import Any

import numpy as np

from bert_classifier.evaluation.calibration import Temperature, fitted_temperature, reliability
from bert_classifier.evaluation.metrics import slices_of
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation, in_parts


def sigmoid(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities for logits of one dimension or more, float64 of their shape, as in serving."""
    probabilities = np.empty(logits.shape)
    for part in slices_of(logits):  # at once, it would take four times the memory
        scaled = logits[part].astype(np.float64) / temperature
        powers = np.exp(-np.abs(scaled))
        probabilities[part] = np.where(scaled >= 0, 1.0, powers) / (1 + powers)
    return probabilities


class LabelScores:
    """The probabilities of n texts for each label, computed where they are asked for: all would take 8 bytes each.

    Args:
        logits: float32 (n, classes).
        temperature: their divisor.

    Attributes:
        shape: (n, classes).
    """

    def __init__(self, logits: np.ndarray, temperature: float) -> None:
        self._logits, self._temperature = logits, temperature
        self.shape = logits.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return those at an index of NumPy, float64."""
        return sigmoid(self._logits[key], self._temperature)

    def reach(self, thresholds: np.ndarray) -> np.ndarray:
        """Return whether each is at least its label's threshold, bool (n, classes)."""
        reached = np.empty(self.shape, dtype=bool)
        for part in slices_of(self._logits):
            reached[part] = self[part] >= thresholds
        return reached


def fit_label_temperature(result: MultiLabelEvaluation) -> Temperature:
    """Return the temperature that maximises the likelihood of the labels, or where that says too little, a prior.

    The likelihood of a text is the product over its classes, each present or absent.
    """
    are_all_right = bool((result.predicted == (result.targets == 1)).all())
    return fitted_temperature(functools.partial(_slope, result), result.count, are_all_right=are_all_right)


def class_errors(logits: np.ndarray, targets: np.ndarray, temperature: float) -> np.ndarray:
    """Return the expected calibration error of each class at a temperature, float64 (classes,).

    Args:
        logits: float32 (n, classes).
        targets: uint8 (n, classes).
    """
    columns = zip(logits.T, targets.T == 1, strict=True)
    return np.array([reliability(sigmoid(column, temperature), actual).error for column, actual in columns])


def brier_score(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """Return the mean squared error of the probabilities at a temperature, over texts and classes, from 0 to 1."""
    parts = in_parts(logits, targets)
    total = sum(float(((sigmoid(wide, temperature) - actual) ** 2).sum()) for wide, actual in parts)
    return total / targets.size if targets.size else 0.0


def _slope(result: MultiLabelEvaluation, inverse: float) -> tuple[float, float]:
    """Return the first two derivatives of the mean negative log-likelihood of a text by the inverse temperature.

    They are the means over texts of Σ (p - y)·z and of Σ p·(1 - p)·z², with p the sigmoid of z/T.
    """
    first = second = 0.0
    for logits, targets in in_parts(result.logits, result.targets):
        shares = sigmoid(logits, 1 / inverse)
        first += float(((shares - targets) * logits).sum())
        second += float((shares * (1 - shares) * logits**2).sum())
    return first / result.count, second / result.count
