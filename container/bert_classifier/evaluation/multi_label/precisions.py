"""Compare the labels that texts get in a lower precision with those that they get in float32."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.multi_label.calibration import LabelScores, brier_score, class_errors
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation, mean_loss
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.promises import promise_precision

_CLEAR = math.log(1.25)  # odds of 5 to 4 are no tie in any format


@dataclasses.dataclass(frozen=True, eq=False)
class LabelReading:
    """How the answers of an artifact with several labels per text follow from logits.

    Attributes:
        labels: class names in the order of the logits.
        temperature: divisor of the logits.
        thresholds: the lowest probability at which each label is answered, float64 (classes,); inf = never.
        target_precision: of each label's answers, which the thresholds promise; 0 = nothing.
    """

    labels: Sequence[str]
    temperature: float
    thresholds: np.ndarray
    target_precision: float = 0.0

    @property
    def has_promise(self) -> bool:
        """Whether the thresholds promise something, which more texts are needed to prove."""
        return self.target_precision > 0

    @property
    def without_promise(self) -> "LabelReading":
        """The same answers without the promise."""
        return dataclasses.replace(self, target_precision=0.0)

    def answers(self, result: MultiLabelEvaluation) -> LabelPredictions:
        """Return the labels answered."""
        scores = LabelScores(result.logits, self.temperature)
        return LabelPredictions(scores.reach(self.thresholds), result.targets)

    def facts(self, result: MultiLabelEvaluation) -> dict[str, float]:
        """Return the fields of training.json on one precision: accuracy (all labels of a text right) and scores."""
        answers, scored = self.answers(result), (result.logits, result.targets, self.temperature)
        return {
            "accuracy": answers.subset_accuracy,
            "micro_f1": answers.micro_f1,
            "nll": mean_loss(*scored),
            "brier": brier_score(*scored),
            "ece": float(class_errors(*scored).mean()),
        }

    def compared(self, exact: MultiLabelEvaluation, found: MultiLabelEvaluation) -> dict[str, Any]:
        """Return the fields of training.json on a precision, beside its probe_distance.

        Args:
            exact: in float32.
            found: the same texts in the precision.
        Returns:
            same, near_ties, right, gained, lost and, with a target precision, thresholds: see artifact.agreement; the
            labels of a text count as one. agreement: the share of the same; and `facts`.
        """
        before, after = self.answers(exact), self.answers(found)
        is_other = before.predicted != after.predicted
        same = ~is_other.any(axis=1)
        are_ties = ~(is_other & ~self._are_near(exact, found)).any(axis=1)
        return {
            "agreement": float(same.mean()),
            "same": int(same.sum()),
            "near_ties": int((~same & are_ties).sum()),
            "right": int(after.are_exact.sum()),
            "gained": int((after.are_exact & ~before.are_exact).sum()),
            "lost": int((before.are_exact & ~after.are_exact).sum()),
            **self.facts(found),
            **self._promise(found),
        }

    def _are_near(self, exact: MultiLabelEvaluation, found: MultiLabelEvaluation) -> np.ndarray:
        """Return which float32 scores are as near to their thresholds as rounding moves one, bool (n, classes).

        How far it does is measured: the root mean square over all texts and labels, in logits.
        """
        moved = found.logits.astype(np.float64) - exact.logits
        noise = min(math.sqrt(float((moved**2).mean())), _CLEAR)
        with np.errstate(divide="ignore"):
            odds = np.log(self.thresholds) - np.log1p(-np.minimum(self.thresholds, 1.0))
        near: np.ndarray = np.abs(exact.logits - self.temperature * odds) <= noise
        return near

    def _promise(self, found: MultiLabelEvaluation) -> dict[str, Any]:
        """Return the precision's own thresholds for the target; those of float32 prove nothing for it."""
        if not self.has_promise:
            return {}
        scores = LabelScores(found.logits, self.temperature)
        own = promise_precision(scores, found.targets, self.labels, self.target_precision)
        values = [None if value == np.inf else value for value in own.thresholds.values.tolist()]
        return {
            "target_precision": self.target_precision,
            "thresholds": dict(zip(self.labels, values, strict=True)),
        }
