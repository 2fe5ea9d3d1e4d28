"""How often a score is right, in bins of about the same number of texts, each with its interval.

Bins of equal width (calibration.reliability) leave most texts in the last bin and a handful in the others, whose
accuracy then is chance. Bins of equal mass: Nguyen and O'Connor 2015, Posterior calibration and exploratory analysis
for natural language processing models, section 3.
"""

import dataclasses
import itertools

import numpy as np

from bert_classifier.evaluation.metrics import wilson_interval

_MOST_BINS = 10
LEAST_IN_BIN = 20  # of fewer texts, the interval says nothing


@dataclasses.dataclass(frozen=True)
class ReliabilityBin:
    """Texts of similar score.

    Attributes:
        lowest: their lowest score.
        highest: their highest score, below the lowest of the next bin.
        score: their mean score.
        texts: their number.
        right: correct predictions among them.
    """

    lowest: float
    highest: float
    score: float
    texts: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of correct predictions."""
        return self.right / self.texts

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval (Wilson)."""
        return wilson_interval(self.right, self.texts)


def equal_mass_bins(scores: np.ndarray, are_right: np.ndarray) -> list[ReliabilityBin]:
    """Sort n texts into up to 10 bins of at least 20 texts by score, ascending; fewer than 20 texts are one bin.

    Texts with the same score are in the same bin.

    Args:
        scores: float (n,).
        are_right: whether each text is predicted correctly, bool (n,).
    """
    order = np.argsort(scores, kind="stable")
    ordered, right = scores[order], are_right[order]
    edges = _edges(ordered)
    return [
        ReliabilityBin(
            float(ordered[begin]),
            float(ordered[end - 1]),
            float(ordered[begin:end].mean()),
            end - begin,
            int(right[begin:end].sum()),
        )
        for begin, end in itertools.pairwise(edges)
    ]


def _edges(ordered: np.ndarray) -> list[int]:
    """Return where bins of n ascending scores begin, and n: at changes of the score, nearest to equal parts."""
    count = len(ordered)
    if not count:
        return []
    bins = min(_MOST_BINS, max(1, count // LEAST_IN_BIN))
    changes = np.flatnonzero(np.diff(ordered)) + 1
    edges = [0]
    for number in range(1, bins):
        if not len(changes):
            break
        nearest = int(changes[np.abs(changes - number * count / bins).argmin()])
        if nearest - edges[-1] >= LEAST_IN_BIN <= count - nearest:
            edges.append(nearest)
    return [*edges, count]
