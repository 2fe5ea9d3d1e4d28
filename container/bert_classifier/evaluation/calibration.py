"""Calibration: a score of 0.9 should be correct in nine of ten cases; one temperature makes it so.

Source: Guo, Pleiss, Sun and Weinberger 2017, On Calibration of Modern Neural Networks: the expected calibration error
over bins of equal width (section 2), and temperature scaling (section 4.2). Where the texts alone decide too little, a
prior stands beside them.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation, cross_entropies, slices_of
from bert_classifier.modeling import probabilities

BINS = 15  # as in the paper
LEAST_TEXTS = 30  # fewer cannot show how often a score of 0.9 is correct; a prior stands beside them
# Of the logarithm of the temperature, normal: models fine-tuned on few texts are overconfident, by how much varies.
PRIOR_MEAN, PRIOR_DEVIATION = 0.7, 1.0
COLDEST, HOTTEST = 0.1, 10.0
_DIGITS = 6  # significant digits of a temperature, to hide rounding in the last bits of logits
_ROUNDS = 100
_ROWS = 8192  # logits converted to float64 at a time

Slope = Callable[[float], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Temperature:
    """The divisor of logits before softmax and, if it could not be fitted and is 1, the reason."""

    value: float
    reason: str = ""


_HARDLY_DIFFERENT = Temperature(
    1.0, f"only a temperature below {COLDEST:g} would fit: the scores of the classes hardly differ"
)


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Texts by their score, in bins of equal width.

    Attributes:
        counts: int64 (bins,), texts whose score falls into each bin.
        confidence: float64 (bins,), their mean score; 0 for an empty bin.
        accuracy: float64 (bins,), the fraction of correct predictions; 0 for an empty bin.
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
    """Return the probabilities for logits (n, classes), float64 (n, classes), as in serving."""
    shares = np.empty(logits.shape)
    for part in slices_of(logits):
        shares[part] = probabilities.softmax(logits[part], temperature)
    return shares


def highest_scores(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return the highest probability of each text, float64 (n,), for logits (n, classes), never all in memory."""
    highest = np.zeros(len(logits))
    for part in slices_of(logits):
        highest[part] = softmax(logits[part], temperature).max(axis=1, initial=0.0)
    return highest


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


def brier_scores(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return each text's squared error over all classes (Brier 1950), from 0 to 2: (n,) of (n, classes)."""
    at_target = probabilities[np.arange(len(targets)), targets]
    scores: np.ndarray = (probabilities**2).sum(axis=1) - 2 * at_target + 1
    return scores


def calibration_scores(result: Evaluation, temperature: float) -> dict[str, float]:
    """Return calibration error (ece), negative log-likelihood (nll) and Brier score at a temperature."""
    logits, targets = result.logits, result.targets
    highest, squared = np.zeros(result.count), np.zeros(result.count)
    for part in slices_of(logits):
        probabilities = softmax(logits[part], temperature)
        highest[part] = probabilities.max(axis=1, initial=0.0)
        squared[part] = brier_scores(probabilities, targets[part])
    return {
        "ece": reliability(highest, result.are_right).error,
        "nll": float(cross_entropies(logits, targets, temperature).mean()) if result.count else 0.0,
        "brier": float(squared.mean()) if result.count else 0.0,
    }


def fit_temperature(result: Evaluation) -> Temperature:
    """Return the temperature that maximises the likelihood of the true classes, or where that says too little, a prior.

    See `fitted_temperature`.
    """
    return fitted_temperature(
        functools.partial(_slope, result), result.count, are_all_right=bool(result.are_right.all())
    )


def fitted_temperature(slope_at: Slope, count: int, *, are_all_right: bool) -> Temperature:
    """Return the temperature at which a mean negative log-likelihood of n texts, convex in 1/T, is lowest.

    A prior stands beside few texts, texts that are all right (any sharper scores would fit them better) and scores so
    far above the accuracy that they would fit no temperature below HOTTEST. Else the likelihood decides: Newton's
    method, safeguarded by bisection between 1/HOTTEST and 1/COLDEST, finds its minimum.
    The result depends only on the logits, so a resumed run finds the same.

    Args:
        slope_at: returns its first two derivatives by 1/T, at 1/T.
        count: number of texts.
    """
    low, high = 1 / HOTTEST, 1 / COLDEST
    if count < LEAST_TEXTS or are_all_right or slope_at(low)[0] >= 0:
        return _with_prior(slope_at, count)
    if slope_at(high)[0] <= 0:
        return _HARDLY_DIFFERENT
    inverse = 1.0
    for _ in range(_ROUNDS):
        slope, curvature = slope_at(inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else 0.0
        following = step if low < step < high else (low + high) / 2
        if abs(following - inverse) <= 1e-12:
            break
        inverse = following
    return _rounded(1 / inverse)


def _with_prior(slope_at: Slope, count: int) -> Temperature:
    """Return a temperature where the posterior, of the texts and the prior, has a local maximum.

    The slope of the negative log-posterior may cross 0 more than once, so that another maximum may be higher; bisection
    finds the same crossing at every attempt.
    """
    if not count:
        return Temperature(1.0, "there are no texts to fit it")
    low, high = math.log(COLDEST), math.log(HOTTEST)
    if _posterior_slope(slope_at, count, low) >= 0:
        return _HARDLY_DIFFERENT
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if _posterior_slope(slope_at, count, middle) < 0 else (low, middle)
        if _rounded(math.exp(low)) == _rounded(math.exp(high)):  # and so is all between
            break
    return _rounded(math.exp((low + high) / 2))


def _posterior_slope(slope_at: Slope, count: int, log_temperature: float) -> float:
    """Return the slope of the negative log-posterior by t = log T: -n · slope(1/T) / T + (t - mean) / deviation²."""
    inverse = math.exp(-log_temperature)
    of_texts = -count * slope_at(inverse)[0] * inverse
    return of_texts + (log_temperature - PRIOR_MEAN) / PRIOR_DEVIATION**2


def _rounded(temperature: float) -> Temperature:
    return Temperature(float(f"{temperature:.{_DIGITS}g}"))


def _slope(result: Evaluation, inverse: float) -> tuple[float, float]:
    """Return the first two derivatives of the mean negative log-likelihood by the inverse temperature.

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
