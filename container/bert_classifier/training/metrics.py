"""What an evaluation says: counts summed into a confusion matrix, and the scores that follow from it."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of one pass over labelled texts.

    Attributes:
        confusion: int64 (classes, classes); row = true class, column = predicted class.
        loss: mean cross-entropy a text.
    """

    confusion: np.ndarray
    loss: float

    @property
    def count(self) -> int:
        """Texts evaluated."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of texts whose class was predicted."""
        return float(np.trace(self.confusion) / max(1, self.count))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur, as a true or a predicted class."""
        occurring = (self.confusion.sum(axis=0) + self.confusion.sum(axis=1)) > 0
        return float(self.f_score(1.0)[occurring].mean()) if occurring.any() else 0.0

    @property
    def precision(self) -> np.ndarray:
        """Precision of each class, float64 (classes,); 0 where it was never predicted."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Recall of each class, float64 (classes,); 0 where it does not occur."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    def f_score(self, beta: float) -> np.ndarray:
        """Return F-beta of each class, float64 (classes,) (van Rijsbergen 1979): beta > 1 favours recall."""
        precision, recall = self.precision, self.recall
        return _ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)

    def weighted(self, scores: np.ndarray) -> float:
        """Return the mean of per-class scores, weighted by how often each class truly occurs."""
        support = self.confusion.sum(axis=1)
        return float((scores * support).sum() / max(1, support.sum()))

    def score(self, positive: int | None) -> float:
        """Return what decides which weights are best: F1 of the positive class, else accuracy."""
        return self.accuracy if positive is None else float(self.f_score(1.0)[positive])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.zeros(len(part), dtype=np.float64), where=whole != 0)
    return ratio


def count_confusion(targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix, int64 (classes, classes), of two int arrays (n,)."""
    flat = np.bincount(targets * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def metric_line(values: dict[str, float | int]) -> str:
    """Return `name=value` pairs for the log, in plain decimals: regexes of metric services lose exponents."""
    return " ".join(f"{name}={_plain(value)}" for name, value in values.items())


def _plain(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.10f}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.0f}"
