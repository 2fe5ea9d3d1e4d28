"""Calibration: whether a score of 0.9 is correct in nine of ten cases, and one temperature that makes it so.

It follows Guo, Pleiss, Sun and Weinberger 2017, On Calibration of Modern Neural Networks: the expected
calibration error over bins of equal width (section 2), and temperature scaling (section 4.2).
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation, cross_entropies

BINS = 15  # as in the paper
LEAST_TEXTS = 30  # fewer cannot show how often a score of 0.9 is correct
COLDEST, HOTTEST = 0.1, 10.0
_DIGITS = 6  # of a temperature, so that rounding in the last bits of logits does not show
_ROUNDS = 100
_ROWS = 8192  # logits are widened to float64 so many rows at a time


@dataclasses.dataclass(frozen=True)
class Temperature:
    """The divisor of logits before softmax, and why it is 1 where it could not be fitted."""

    value: float
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Texts by their score, in bins of equal width.

    Attributes:
        counts: int64 (bins,), texts whose score falls into each bin.
        confidence: float64 (bins,), their mean score; 0 where there is none.
        accuracy: float64 (bins,), the share of them predicted correctly; 0 where there is none.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between score and accuracy, weighted by texts."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((gaps * self.counts).sum() / max(1, self.counts.sum()))


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities of logits (n, classes), float64 (n, classes), as serving reports them."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def reliability(scores: np.ndarray, are_right: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort n texts into bins ((m-1)/bins, m/bins] by score, float (n,), with `are_right`, bool (n,)."""
    which = np.clip(np.ceil(scores * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    whole = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(which, weights=scores, minlength=bins) / whole,
        np.bincount(which, weights=are_right.astype(np.float64), minlength=bins) / whole,
    )


def brier_score(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean squared error of probabilities (n, classes) over all classes (Brier 1950), from 0 to 2."""
    if not len(targets):
        return 0.0
    at_target = probabilities[np.arange(len(targets)), targets]
    return float(((probabilities**2).sum(axis=1) - 2 * at_target + 1).mean())


def calibration_scores(result: Evaluation, temperature: float) -> dict[str, float]:
    """Return calibration error (ece), negative log-likelihood (nll) and Brier score at a temperature."""
    probabilities = softmax(result.logits, temperature)
    losses = cross_entropies(result.logits.astype(np.float64) / temperature, result.targets)
    return {
        "ece": reliability(probabilities.max(axis=1, initial=0.0), result.predicted == result.targets).error,
        "nll": float(losses.mean()) if result.count else 0.0,
        "brier": brier_score(probabilities, result.targets),
    }


def fit_temperature(result: Evaluation) -> Temperature:
    """Return the temperature that maximises the likelihood of the true classes.

    Their mean negative log-likelihood is convex in 1/T, so Newton's method finds its minimum, kept by bisection
    between 1/HOTTEST and 1/COLDEST. It depends on the logits alone: a resumed run finds the same.
    """
    if result.count < LEAST_TEXTS:
        return Temperature(1.0, f"{result.count} texts are too few to fit it (at least {LEAST_TEXTS})")
    low, high = 1 / HOTTEST, 1 / COLDEST
    if _slope(result, low)[0] >= 0:
        return Temperature(1.0, _why_too_sharp(result))
    if _slope(result, high)[0] <= 0:
        return Temperature(1.0, _why_too_flat(result))
    inverse = 1.0
    for _ in range(_ROUNDS):
        slope, curvature = _slope(result, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else 0.0
        following = step if low < step < high else (low + high) / 2
        if abs(following - inverse) <= 1e-12:
            break
        inverse = following
    return Temperature(float(f"{1 / inverse:.{_DIGITS}g}"))


def _why_too_sharp(result: Evaluation) -> str:
    """Say why even HOTTEST leaves the scores too high."""
    if _slope(result, 1e-9)[0] >= 0:  # all scores almost equal
        return "the model's scores say nothing about the classes"
    return f"only a temperature above {HOTTEST:g} would fit: the scores are far higher than the accuracy"


def _why_too_flat(result: Evaluation) -> str:
    """Say why even COLDEST leaves the scores too low."""
    if int(result.confusion.trace()) == result.count:
        return f"all {result.count} texts are right: any sharper scores would fit better"
    return f"only a temperature below {COLDEST:g} would fit: the scores of the classes hardly differ"


def _slope(result: Evaluation, inverse: float) -> tuple[float, float]:
    """Return first and second derivative, by the inverse temperature, of the mean negative log-likelihood.

    They are the means over texts of E[z] - z_target and of Var[z], with the logits z distributed by their softmax.
    """
    first = second = 0.0
    for logits, targets in _in_parts(result):
        shares = softmax(logits, 1 / inverse)
        mean = (shares * logits).sum(axis=1)
        first += float((mean - logits[np.arange(len(targets)), targets]).sum())
        second += float((shares * (logits - mean[:, None]) ** 2).sum())
    return first / result.count, second / result.count


def _in_parts(result: Evaluation) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, result.count, _ROWS):
        part = slice(start, start + _ROWS)
        yield result.logits[part].astype(np.float64), result.targets[part]
