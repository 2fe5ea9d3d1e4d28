"""Intervals of F1 over texts with several labels, and the paired difference of two models.

The labels of a text depend on each other, so that texts, not labels, are what was drawn. F1 is a ratio of two sums over
them, and the delta method gives its variance (Takahashi et al. 2022, Confidence interval for micro-averaged F1 and
macro-averaged F1 scores; here with texts as clusters: Cochran 1977, Sampling techniques, section 2.11). No chance is
drawn: the same texts always have the same interval.
"""

import math

import numpy as np

from bert_classifier.evaluation.metrics import wilson_interval

_Z = 1.959964  # of 95 %


def f1_interval(doubled: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of F1 = Σ doubled ÷ Σ total on new texts.

    It is Wilson's, for as many texts as a share would need to have the variance of F1 (the effective number: Korn and
    Graubard 1998), so that it neither exceeds 1 nor is empty where all is right. There, and with one text, that number
    is the number of texts.

    Args:
        doubled: twice the right labels of each text, int (n,).
        total: its answered and its actual labels together, int (n,).
    """
    whole = int(total.sum())
    if not whole:
        return 0.0, 1.0
    share, texts = float(doubled.sum() / whole), int((total > 0).sum())
    variance = _variance(_influences(doubled, total))
    effective = share * (1 - share) / variance if variance else texts
    return wilson_interval(share * effective, effective)


def f1_difference(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[float, tuple[float, float], float]:
    """Compare two models on the same texts by F1.

    Args:
        first, second: of each, the arguments of f1_interval, in the order of the texts.
    Returns:
        F1 of the second less that of the first, its 95 % interval, and the p-value that they are equal, two-sided.
    """
    scores = [float(doubled.sum() / max(1, total.sum())) for doubled, total in (first, second)]
    difference = scores[1] - scores[0]
    deviation = math.sqrt(_variance(_influences(*second) - _influences(*first)))
    half = _Z * deviation
    p_value = math.erfc(abs(difference) / deviation / math.sqrt(2)) if deviation else float(not difference)
    return difference, (max(-1.0, difference - half), min(1.0, difference + half)), p_value


def _influences(doubled: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return how far each text moves F1, float64 (n,): the linear part of the ratio."""
    whole = total.sum()
    if not whole:
        return np.zeros(len(total))
    moved: np.ndarray = (doubled - doubled.sum() / whole * total) / whole
    return moved


def _variance(influences: np.ndarray) -> float:
    """Return the variance of a sum of independent influences, of which the mean is known to be 0."""
    count = len(influences)
    return float((influences**2).sum() * count / max(1, count - 1))
