"""Labels answered for texts beside those that they have, and what share of them is right."""

import dataclasses
import functools

import numpy as np

from bert_classifier.evaluation.metrics import ratio
from bert_classifier.evaluation.multi_label.intervals import f1_interval


@dataclasses.dataclass(frozen=True, eq=False)
class LabelPredictions:
    """The labels answered for n texts, at whatever thresholds.

    Attributes:
        predicted: bool (n, classes), whether a text is answered with a label.
        targets: uint8 (n, classes), 1 where a text has the label.
    """

    predicted: np.ndarray
    targets: np.ndarray

    @property
    def count(self) -> int:
        """Number of texts."""
        return len(self.targets)

    @functools.cached_property
    def are_actual(self) -> np.ndarray:
        """The labels that texts have, bool (n, classes)."""
        actual: np.ndarray = self.targets == 1
        return actual

    @functools.cached_property
    def missed(self) -> np.ndarray:
        """The labels that texts have without being answered with them, bool (n, classes)."""
        missed: np.ndarray = self.are_actual & ~self.predicted
        return missed

    @functools.cached_property
    def false(self) -> np.ndarray:
        """The labels that texts are answered with and do not have, bool (n, classes)."""
        false: np.ndarray = self.predicted & ~self.are_actual
        return false

    @functools.cached_property
    def _right(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels rightly answered, of each class and of each text, int64 (classes,) and (n,)."""
        right = self.predicted & self.are_actual
        return right.sum(axis=0), right.sum(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Of each class, texts rightly answered with it, int64 (classes,)."""
        return self._right[0]

    @functools.cached_property
    def answered(self) -> np.ndarray:
        """Of each class, texts answered with it, int64 (classes,)."""
        answered: np.ndarray = self.predicted.sum(axis=0)
        return answered

    @functools.cached_property
    def support(self) -> np.ndarray:
        """Of each class, texts that have it, int64 (classes,)."""
        support: np.ndarray = self.are_actual.sum(axis=0)
        return support

    @property
    def precision(self) -> np.ndarray:
        """Precision of each class, float64 (classes,); 0 where it was never answered."""
        return ratio(self.right, self.answered)

    @property
    def recall(self) -> np.ndarray:
        """Recall of each class, float64 (classes,); 0 where no text has it."""
        return ratio(self.right, self.support)

    @functools.cached_property
    def f1(self) -> np.ndarray:
        """F1 of each class, float64 (classes,); 0 where it neither occurs nor is answered."""
        return ratio(2 * self.right, self.answered + self.support)

    @property
    def micro_precision(self) -> float:
        """Share of all answered labels that are right."""
        return float(self.right.sum() / max(1, self.answered.sum()))

    @property
    def micro_recall(self) -> float:
        """Share of all labels of the texts that are answered."""
        return float(self.right.sum() / max(1, self.support.sum()))

    @property
    def micro_f1(self) -> float:
        """F1 over all pairs of a text and a label."""
        return float(2 * self.right.sum() / max(1, self.answered.sum() + self.support.sum()))

    @property
    def micro_f1_interval(self) -> tuple[float, float]:
        """Its 95 % interval, for new texts like these."""
        return f1_interval(*self.by_text)

    @functools.cached_property
    def by_text(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each text, twice its right labels, and its answered and actual ones together, int64 (n,) each."""
        return 2 * self._right[1], self.predicted.sum(axis=1) + self.are_actual.sum(axis=1)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur, as actual or answered label."""
        occurring = self.answered + self.support > 0
        return float(self.f1[occurring].mean()) if occurring.any() else 0.0

    @property
    def weighted_f1(self) -> float:
        """Mean F1 of the classes, weighted by the texts that have each."""
        return float((self.f1 * self.support).sum() / max(1, self.support.sum()))

    @functools.cached_property
    def are_exact(self) -> np.ndarray:
        """Whether a text is answered with all of its labels and no other, bool (n,)."""
        doubled, total = self.by_text
        exact: np.ndarray = doubled == total
        return exact

    @property
    def subset_accuracy(self) -> float:
        """Share of texts answered with exactly their labels."""
        return float(self.are_exact.mean()) if self.count else 0.0

    @property
    def hamming_loss(self) -> float:
        """Share of all pairs of a text and a label that are answered wrongly."""
        wrong = self.answered.sum() + self.support.sum() - 2 * self.right.sum()
        return float(wrong / max(1, self.predicted.size))

    @functools.cached_property
    def confusions(self) -> np.ndarray:
        """Texts by a label that was missed (row) and a label that was answered falsely (column).

        Returns:
            int64 (classes, classes). A text with several of both counts in each of their cells, so that sums of rows
            say nothing; the diagonal is 0.
        """
        together: np.ndarray = (self.missed.T.astype(np.float64) @ self.false.astype(np.float64)).round()
        return together.astype(np.int64)
