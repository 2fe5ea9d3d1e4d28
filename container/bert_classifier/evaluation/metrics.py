"""Predictions for labelled texts, and their metrics."""

import abc
import dataclasses
import functools
import math
from collections.abc import Iterator

import numpy as np

_CHANCE = 0.025  # significance level for beating a constant answer, one-sided
_VALUES = 1_000_000  # logits converted to float64 at a time


class Metrics(abc.ABC):
    """The metrics of a confusion matrix."""

    @property
    @abc.abstractmethod
    def confusion(self) -> np.ndarray:
        """Texts by class, int64 (classes, classes); row = true class, column = predicted class."""

    @property
    def count(self) -> int:
        """Texts evaluated."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of texts predicted correctly."""
        return float(np.trace(self.confusion) / max(1, self.count))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur, as true or predicted class."""
        occurring = (self.confusion.sum(axis=0) + self.confusion.sum(axis=1)) > 0
        return float(self.f_score(1.0)[occurring].mean()) if occurring.any() else 0.0

    @property
    def precision(self) -> np.ndarray:
        """Precision of each class, float64 (classes,); 0 where it was never predicted."""
        return ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Recall of each class, float64 (classes,); 0 where it does not occur."""
        return ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    def f_score(self, beta: float) -> np.ndarray:
        """Return F-beta of each class, float64 (classes,) (van Rijsbergen 1979): beta > 1 favours recall."""
        precision, recall = self.precision, self.recall
        return ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)

    @property
    def main_score(self) -> float:
        """The score of learning curves."""
        return self.accuracy

    def weighted(self, scores: np.ndarray) -> float:
        """Return the mean of per-class scores, weighted by the texts of each class."""
        support = self.confusion.sum(axis=1)
        return float((scores * support).sum() / max(1, support.sum()))

    def score(self, positive: int | None) -> float:
        """Return the score that selects the best weights: F1 of the positive class, or accuracy without one."""
        return self.accuracy if positive is None else float(self.f_score(1.0)[positive])


@dataclasses.dataclass(frozen=True, eq=False)
class ConfusionMatrix(Metrics):
    """A confusion matrix alone, int64 (classes, classes)."""

    counts: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """The matrix."""
        return self.counts


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation(Metrics):
    """The predictions for n labelled texts.

    Attributes:
        logits: float32 (n, classes), in the order of the texts.
        targets: int64 (n,), the true class of each.
    """

    logits: np.ndarray
    targets: np.ndarray

    @functools.cached_property
    def predicted(self) -> np.ndarray:
        """The class predicted for each text, int64 (n,)."""
        predicted: np.ndarray = self.logits.argmax(axis=1)
        return predicted

    @functools.cached_property
    def are_right(self) -> np.ndarray:
        """Whether each text is predicted correctly, bool (n,)."""
        right: np.ndarray = self.predicted == self.targets
        return right

    @functools.cached_property
    def confusion(self) -> np.ndarray:
        """The confusion matrix of the predicted classes."""
        return count_confusion(self.targets, self.predicted, self.logits.shape[1])

    @functools.cached_property
    def loss(self) -> float:
        """Mean cross-entropy per text."""
        return float(cross_entropies(self.logits, self.targets).mean()) if self.count else 0.0

    @property
    def logged(self) -> dict[str, float]:
        """The metrics of the log, by name."""
        return {"eval_loss": self.loss, "eval_accuracy": self.accuracy, "eval_macro_f1": self.macro_f1}


def wilson_interval(right: float, count: float, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share, from `right` of `count` (Wilson 1927).

    Unlike the normal approximation, it is not empty at 0 % or 100 % and never exceeds them.
    """
    if not count:
        return 0.0, 1.0
    share, square = right / count, z * z / count
    middle = share + square / 2
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    # The ends are exact where all or none are right; rounding would miss them.
    low = 0.0 if right == 0 else max(0.0, (middle - half) / (1 + square))
    high = 1.0 if right == count else min(1.0, (middle + half) / (1 + square))
    return low, high


def chance_of_at_least(right: int, count: int, share: float) -> float:
    """Return the binomial probability that at least `right` of `count` texts are right, each with probability `share`.

    Exact even for few texts, where Wilson's interval is too narrow.
    """
    if right <= 0 or share >= 1:
        return 1.0
    if share <= 0:
        return 0.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])  # of the factorials
    hits = np.arange(right, count + 1)
    ways = logs[count] - logs[hits] - logs[count - hits]
    return float(np.exp(ways + hits * math.log(share) + (count - hits) * math.log1p(-share)).sum())


def beats_constant(right: int, commonest: int, count: int) -> bool:
    """Return whether `right` of `count` are significantly more than always predicting the commonest class has right.

    Args:
        commonest: texts of that class.
    """
    return bool(count) and chance_of_at_least(right, count, commonest / count) <= _CHANCE


def cross_entropies(logits: np.ndarray, targets: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return -log softmax(logits / temperature) at the target of each text, float64 (n,)."""
    losses = np.empty(len(targets))
    for part in slices_of(logits):
        wide = logits[part].astype(np.float64) / temperature
        largest = wide.max(axis=1)
        with np.errstate(invalid="ignore"):  # infinite and NaN logits propagate to the loss
            log_sums = largest + np.log(np.exp(wide - largest[:, None]).sum(axis=1))
        losses[part] = log_sums - wide[np.arange(len(wide)), targets[part]]
    return losses


def slices_of(values: np.ndarray) -> Iterator[slice]:
    """Yield slices of about a million values: in float64, a whole channel's would take gigabytes several times."""
    rows = max(1, _VALUES // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        yield slice(start, start + rows)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the quotients of two arrays (k,), float64 (k,); 0 where there is nothing to divide by."""
    quotients: np.ndarray = np.divide(
        part, whole, out=np.zeros(len(part), dtype=np.float64), where=whole != 0
    )
    return quotients


def count_confusion(targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix, int64 (classes, classes), of two int arrays (n,)."""
    flat = np.bincount(targets * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)
