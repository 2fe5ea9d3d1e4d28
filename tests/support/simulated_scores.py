"""Simulated classifiers whose accuracy above any score is known, and rules that pick a threshold on drawn texts.

Used to see how often a threshold keeps its target on new texts, and how many of them get a label.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from bert_classifier.evaluation.abstention import CoverageCurve, coverage_curve
from bert_classifier.evaluation.guarantee import CONFIDENCE, chances, guarantee, least_texts

_GRID = 100_000  # texts that stand for all, in steps of equal probability
Rule = Callable[[CoverageCurve, float], float | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier on all texts.

    Attributes:
        scores: float64 (grid,), descending.
        chances: float64 (grid,), with which the text of each score is right.
    """

    scores: np.ndarray
    chances: np.ndarray

    def draw(self, texts: int, source: np.random.Generator) -> CoverageCurve:
        """Return the curve of so many texts."""
        drawn = source.integers(0, len(self.scores), texts)
        are_right = source.random(texts) < self.chances[drawn]
        return coverage_curve(self.scores[drawn], are_right)

    def most_coverage(self, target: float) -> float:
        """Return the largest share of all texts whose labels reach the target."""
        accuracy = np.cumsum(self.chances) / np.arange(1, len(self.chances) + 1)
        return float((accuracy >= target).mean())

    def above(self, threshold: float | None) -> tuple[float, float]:
        """Return coverage and accuracy of all texts at a threshold; (0, 1) where nothing gets a label."""
        if threshold is None:
            return 0.0, 1.0
        reached = int((self.scores >= threshold).sum())
        return reached / len(self.scores), float(self.chances[:reached].mean()) if reached else 1.0


def classifier(mean: float, spread: float, sharpness: float = 1.0, decimals: int = 12) -> Classifier:
    """Return a classifier whose logits are normal: calibrated with a sharpness of 1, overconfident above.

    Args:
        decimals: of its scores; with few, many are tied.
    """
    normal = np.random.Generator(np.random.Philox(0)).normal(mean, spread, _GRID)
    logits = np.sort(normal)[::-1]
    scores, true = (1 / (1 + np.exp(-logits * factor)) for factor in (sharpness, 1.0))
    return Classifier(np.round(scores, decimals), true)


def indifferent(accuracy: float) -> Classifier:
    """Return a classifier whose scores say nothing: the same accuracy everywhere."""
    return Classifier(np.linspace(1, 0, _GRID), np.full(_GRID, accuracy))


def by_point_estimate(curve: CoverageCurve, target: float) -> float | None:
    """Return the lowest threshold at which the drawn texts reach the target."""
    return _threshold_of(curve, np.flatnonzero(curve.right >= target * curve.accepted))


def by_guarantee(curve: CoverageCurve, target: float) -> float | None:
    """Return the threshold that training picks."""
    return guarantee(curve, target).threshold


def by_binary_search(curve: CoverageCurve, target: float) -> float | None:
    """Return the threshold of the paper's algorithm (Geifman and El-Yaniv 2017, SGR): the risk is divided evenly."""
    looks = math.ceil(math.log2(len(curve.accepted)))
    passed = chances(curve, target) <= (1 - CONFIDENCE) / looks
    low, high, found = 0, len(curve.accepted) - 1, np.zeros(0, dtype=np.int64)
    for _ in range(looks):
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passed[middle] else (low, max(low, middle - 1))
        found = np.append(found, middle) if passed[middle] else found
    return _threshold_of(curve, found)


def by_one_sequence(curve: CoverageCurve, target: float) -> float | None:
    """Return the threshold of fixed-sequence testing from the highest down, the first failure ending it."""
    first = int(np.searchsorted(curve.accepted, least_texts(target) or math.inf))
    failed = np.flatnonzero(chances(curve, target)[first:] > 1 - CONFIDENCE)
    end = first + (int(failed[0]) if len(failed) else len(curve.accepted) - first)
    return _threshold_of(curve, np.arange(first, end))


def _threshold_of(curve: CoverageCurve, passed: np.ndarray) -> float | None:
    return curve.threshold_after(int(passed.max())) if len(passed) else None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a rule comes to over many runs.

    Attributes:
        given: runs in which it gave a threshold.
        broken: those of them in which new texts stayed below the target.
        coverage: mean coverage over all runs, 0 without a threshold.
    """

    runs: int
    given: int
    broken: int
    coverage: float


def simulated(rule: Rule, of: Classifier, texts: int, target: float, runs: int) -> Outcome:
    """Apply a rule to fresh validation texts in each run; the same texts for every rule."""
    source = np.random.Generator(np.random.Philox(texts))
    thresholds = [rule(of.draw(texts, source), target) for _ in range(runs)]
    found = np.array([of.above(threshold) for threshold in thresholds])
    given = sum(threshold is not None for threshold in thresholds)
    return Outcome(runs, given, int((found[:, 1] < target).sum()), float(found[:, 0].mean()))
