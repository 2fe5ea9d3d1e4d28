"""Compare two models on the same texts, by paired tests."""

import dataclasses
import math

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation

_Z = 1.959964  # of 95 %


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Paired tests of two models, from the number of texts on which only one is right.

    Attributes:
        only_first, only_second: texts that only this model predicts correctly.
        count: texts compared.
    """

    only_first: int
    only_second: int
    count: int

    @property
    def difference(self) -> float:
        """Accuracy of the second model minus that of the first."""
        return (self.only_second - self.only_first) / max(1, self.count)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference (Bonett and Price 2012, for paired proportions)."""
        first, second = ((only + 1) / (self.count + 2) for only in (self.only_first, self.only_second))
        half = _Z * math.sqrt((first + second - (second - first) ** 2) / (self.count + 2))
        return max(-1.0, second - first - half), min(1.0, second - first + half)

    @property
    def exact_p(self) -> float:
        """p-value of the exact McNemar test, two-sided."""
        return min(1.0, 2 * self._tail())

    @property
    def mid_p(self) -> float:
        """p-value of the mid-p McNemar test, less conservative than the exact one and still valid in practice.

        Fagerland, Lydersen and Laake 2013, The McNemar test for binary matched-pairs data: mid-p and asymptotic are
        better than exact conditional.
        """
        at = self._probability(self.only_first)
        if self.only_first == self.only_second:
            return 1 - at / 2 if self.only_first else 1.0
        return 2 * self._tail() - at

    def _tail(self) -> float:
        return math.fsum(map(self._probability, range(min(self.only_first, self.only_second) + 1)))

    def _probability(self, hits: int) -> float:
        """Return the binomial probability of `hits` among the texts on which only one model is right."""
        tosses = self.only_first + self.only_second
        ways = math.lgamma(tosses + 1) - math.lgamma(hits + 1) - math.lgamma(tosses - hits + 1)
        return math.exp(ways - tosses * math.log(2))


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Return the comparison of two evaluations of the same texts."""
    rights = [result.are_right for result in (first, second)]
    return Comparison(int((rights[0] & ~rights[1]).sum()), int((~rights[0] & rights[1]).sum()), first.count)


def changed_texts(first: Evaluation, second: Evaluation) -> np.ndarray:
    """Return the texts with different predictions, int64 (k,): newly wrong, newly right, then the others."""
    rights = [result.are_right for result in (first, second)]
    kind = np.where(rights[0], 0, np.where(rights[1], 1, 2))
    changed = np.flatnonzero(first.predicted != second.predicted)
    ordered: np.ndarray = changed[np.argsort(kind[changed], kind="stable")]
    return ordered
