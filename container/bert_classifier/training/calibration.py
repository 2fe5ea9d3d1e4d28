"""Whether scores mean what they say: temperature, calibration error, and accuracy against coverage."""

import dataclasses

import numpy as np

_BINS = 15
_LARGEST_SHARPNESS = 100.0  # 1 ÷ temperature, where a model makes no mistake on what it is fitted on
_STEPS = 100


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits ÷ temperature), float64 (n, classes)."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    quotients: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return quotients


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature that makes the mean cross-entropy of n texts smallest.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2. The cross-entropy is convex in
    1 ÷ temperature; where its slope is zero is found by bisection.

    Args:
        logits: (n, classes).
        targets: int (n,).
    """
    low, high = 1 / _LARGEST_SHARPNESS, _LARGEST_SHARPNESS
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        if _slope(logits, targets, middle) > 0:
            high = middle
        else:
            low = middle
    return 1 / float(np.sqrt(low * high))


def _slope(logits: np.ndarray, targets: np.ndarray, sharpness: float) -> float:
    """Return the derivative of the mean cross-entropy by 1 ÷ temperature: mean logit minus the true class's."""
    expected = (probabilities(logits, 1 / sharpness) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(targets)), targets]).mean())


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Texts sorted into bins by the score of the class predicted.

    Attributes:
        counts: int64 (bins,), texts in each bin.
        confidence: float64 (bins,), their mean score; 0 in an empty bin.
        accuracy: float64 (bins,), the share that was right; 0 in an empty bin.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, is_right: np.ndarray, bins: int = _BINS) -> "Reliability":
        """Sort n texts by score into bins of equal width."""
        index = np.minimum((scores * bins).astype(np.int64), bins - 1)
        counts = np.bincount(index, minlength=bins)
        filled = np.maximum(counts, 1)
        return cls(
            counts,
            np.bincount(index, weights=scores, minlength=bins) / filled,
            np.bincount(index, weights=is_right.astype(np.float64), minlength=bins) / filled,
        )

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between score and accuracy over the bins, weighted by their texts (Guo et al. 2017, equation 3)."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((self.counts * gaps).sum() / max(1, self.counts.sum()))


def cross_fitted(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return calibrated probabilities (n, classes) of which none saw its own text: each half fits the other's.

    What a temperature fitted on these very texts says of itself would be too good.
    """
    found = probabilities(logits)
    halves = np.arange(len(targets)) % 2 == 0
    for half in (halves, ~halves):
        if half.any() and (~half).any():
            found[half] = probabilities(logits[half], fit_temperature(logits[~half], targets[~half]))
    return found


def coverage_curve(scores: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what answering only above a threshold gives.

    Returns:
        thresholds, falling; the share of texts with at least that score (coverage); and the accuracy on those;
        float64 (k,) each, one entry for every distinct score.
    """
    order = np.argsort(-scores, kind="stable")
    falling, right = scores[order], is_right[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    answered = last + 1
    return falling[last], answered / len(scores), np.cumsum(right)[last] / answered


def wilson_interval(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval that holds the true share with 95 % confidence (Wilson 1927); (0, 1) for no text."""
    if count == 0:
        return 0.0, 1.0
    share, square = right / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z / (1 + square / count) * (share * (1 - share) / count + square / (4 * count**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
