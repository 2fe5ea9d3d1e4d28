"""Abstention below a score: coverage lost, accuracy gained."""

import dataclasses

import numpy as np

_DIGITS = 6  # of a threshold


@dataclasses.dataclass(frozen=True)
class CoverageCurve:
    """Coverage and accuracy of the texts that get a label, by score threshold.

    Attributes:
        thresholds: float64 (k,), descending; the distinct scores that occur.
        accepted: int64 (k,), texts with at least that score.
        right: int64 (k,), correct predictions among them.
    """

    thresholds: np.ndarray
    accepted: np.ndarray
    right: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        """Share of all texts that get a label, float64 (k,)."""
        share: np.ndarray = self.accepted / max(1, self.accepted[-1] if len(self.accepted) else 0)
        return share

    @property
    def accuracy(self) -> np.ndarray:
        """Fraction of correct predictions among these, float64 (k,)."""
        share: np.ndarray = self.right / self.accepted
        return share

    def at(self, threshold: float) -> tuple[int, int]:
        """Return the number of texts that reach a threshold, and of correct predictions among them."""
        reached = int((self.thresholds >= threshold).sum())
        return (int(self.accepted[reached - 1]), int(self.right[reached - 1])) if reached else (0, 0)

    def threshold_after(self, last: int) -> float:
        """Return the threshold that scores reach up to index `last`, and no lower ones.

        It lies half-way to the next lower score, so that rounding moves no text across it; 0 if all get a label.
        """
        if last == len(self.thresholds) - 1:
            return 0.0
        return between(float(self.thresholds[last]), float(self.thresholds[last + 1]))


def between(upper: float, lower: float) -> float:
    """Return a short number half-way between two scores, above the lower one and at most the upper one."""
    short = float(f"{(upper + lower) / 2:.{_DIGITS}g}")
    return short if lower < short <= upper else upper


def coverage_curve(scores: np.ndarray, are_right: np.ndarray) -> CoverageCurve:
    """Return the curve of n texts with their scores, float (n,), and whether each is predicted correctly, bool (n,)."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(scores) else order
    right = np.cumsum(are_right[order])
    return CoverageCurve(ordered[ends], ends + 1, right[ends])
