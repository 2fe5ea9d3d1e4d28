"""Predictions for texts with any number of labels each, and their metrics."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from bert_classifier.evaluation.metrics import slices_of
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions

MEAN_AVERAGE_PRECISION = "mean_average_precision"  # of multi_label_score; else micro_f1


@dataclasses.dataclass(frozen=True, eq=False)
class MultiLabelEvaluation:
    """The predictions for n labelled texts; a label is predicted where its probability is at least one half.

    Attributes:
        logits: float32 (n, classes), in the order of the texts.
        targets: uint8 (n, classes), 1 where a text has the label.
        selects_by: the metric that selects the best weights, micro_f1 or mean_average_precision.
    """

    logits: np.ndarray
    targets: np.ndarray
    selects_by: str = "micro_f1"

    @property
    def count(self) -> int:
        """Texts evaluated."""
        return len(self.targets)

    @functools.cached_property
    def answers(self) -> LabelPredictions:
        """The labels predicted, beside those that the texts have."""
        return LabelPredictions(self.logits >= 0, self.targets)

    @property
    def predicted(self) -> np.ndarray:
        """The labels predicted, bool (n, classes)."""
        return self.answers.predicted

    @property
    def micro_f1(self) -> float:
        """F1 over all pairs of a text and a label."""
        return self.answers.micro_f1

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur, as true or predicted label."""
        return self.answers.macro_f1

    @property
    def subset_accuracy(self) -> float:
        """Share of texts whose labels are predicted exactly."""
        return self.answers.subset_accuracy

    @functools.cached_property
    def average_precisions(self) -> np.ndarray:
        """Average precision of each class, float64 (classes,); NaN where no text has the label."""
        columns = zip(self.logits.T, self.targets.T, strict=True)
        return np.array([average_precision(logits, targets) for logits, targets in columns])

    @functools.cached_property
    def mean_average_precision(self) -> float:
        """Mean over the classes that occur; 0 if none does."""
        known = self.average_precisions[~np.isnan(self.average_precisions)]
        return float(known.mean()) if len(known) else 0.0

    @functools.cached_property
    def loss(self) -> float:
        """Mean binary cross-entropy per text and class."""
        return mean_loss(self.logits, self.targets)

    @property
    def main_score(self) -> float:
        """The score of learning curves."""
        return self.micro_f1

    @property
    def logged(self) -> dict[str, float]:
        """The metrics of the log, by name."""
        return {
            "eval_loss": self.loss,
            "eval_micro_f1": self.micro_f1,
            "eval_macro_f1": self.macro_f1,
            "eval_subset_accuracy": self.subset_accuracy,
            "eval_mean_average_precision": self.mean_average_precision,
        }

    def score(self, positive: int | None) -> float:
        """Return the score that selects the best weights."""
        return self.mean_average_precision if self.selects_by == MEAN_AVERAGE_PRECISION else self.micro_f1


def average_precision(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return Σ (Rₖ - Rₖ₋₁)·Pₖ over the distinct scores as thresholds, as scikit-learn does; NaN without positives.

    Args:
        scores: float (n,).
        targets: 1 where positive, else 0, (n,).
    """
    positives = int(targets.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    right = np.cumsum(targets[order], dtype=np.int64)[ends]
    gained = np.diff(right, prepend=0)
    return float((gained / positives * right / (ends + 1)).sum())


def mean_loss(logits: np.ndarray, targets: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean binary cross-entropy per text and class at a temperature; 0 without texts."""
    parts = in_parts(logits, targets)
    total = sum(float(_cross_entropies(wide / temperature, actual).sum()) for wide, actual in parts)
    return total / targets.size if targets.size else 0.0


def in_parts(logits: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield logits, in float64, and targets (m, classes) of some texts at a time: all at once would be held twice."""
    for part in slices_of(targets):
        yield logits[part].astype(np.float64), targets[part]


def _cross_entropies(wide: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return -log of the probability of each answer, float64 (n, classes): log(1 + exp(±logit)) without overflow."""
    losses: np.ndarray = np.logaddexp(0.0, np.where(targets == 1, -wide, wide))
    return losses
