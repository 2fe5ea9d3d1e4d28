"""Compare a precision's predictions with float32's on the same texts."""

import dataclasses
import math
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import CoverageCurve, coverage_curve
from bert_classifier.evaluation.calibration import calibration_scores, highest_scores
from bert_classifier.evaluation.guarantee import guarantee
from bert_classifier.evaluation.metrics import Evaluation

# In logits: odds of 5 to 4 are no tie in any format, so that a completely wrong result cannot excuse itself.
_CLEAR_LEAD = math.log(1.25)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How an artifact's answers follow from logits.

    Attributes:
        temperature: divisor of the logits.
        abstain_below: score below which a text gets no label; 0 = never.
        target_accuracy: accuracy of the labels that this threshold guarantees; 0 = none.
    """

    temperature: float = 1.0
    abstain_below: float = 0.0
    target_accuracy: float = 0.0

    @property
    def has_promise(self) -> bool:
        """Whether the threshold guarantees something, which more texts are needed to prove."""
        return self.target_accuracy > 0

    @property
    def without_promise(self) -> "Reading":
        """The same answers without the guarantee."""
        return dataclasses.replace(self, target_accuracy=0.0)

    def scores(self, result: Evaluation) -> dict[str, float]:
        """Return ece, nll and brier of the calibrated scores; with a threshold, coverage and accuracy_of_answered."""
        scores = calibration_scores(result, self.temperature)
        if not self.abstain_below:
            return scores
        answered, right = self.curve(result).at(self.abstain_below)
        shares = {
            "coverage": answered / max(1, result.count),
            "accuracy_of_answered": right / max(1, answered),
        }
        return {**scores, **shares}

    def facts(self, exact: Evaluation) -> dict[str, Any]:
        """Return the fields of training.json on float32; see `compared`."""
        return {"accuracy": exact.accuracy, **self.scores(exact)}

    def compared(self, exact: Evaluation, found: Evaluation) -> dict[str, Any]:
        """Return the fields of training.json on a precision, beside its probe_distance.

        Args:
            exact: in float32.
            found: the same texts in the precision.
        Returns:
            agreement: the share of texts with float32's label; accuracy; same, near_ties, right, gained, lost and, with
            a target accuracy, threshold and answered: see artifact.agreement; and the scores.
        """
        same = exact.predicted == found.predicted
        return {
            "agreement": float(same.mean()),
            "same": int(same.sum()),
            "near_ties": int((~same & are_near_ties(exact.logits, found.logits)).sum()),
            "right": int(found.are_right.sum()),
            "gained": int((found.are_right & ~exact.are_right).sum()),
            "lost": int((exact.are_right & ~found.are_right).sum()),
            "accuracy": found.accuracy,
            **self.scores(found),
            **self.promise(exact, found),
        }

    def curve(self, result: Evaluation) -> CoverageCurve:
        """Return coverage and accuracy by threshold."""
        highest = highest_scores(result.logits, self.temperature)
        return coverage_curve(highest, result.are_right)

    def promise(self, exact: Evaluation, found: Evaluation) -> dict[str, Any]:
        """Return the precision's own threshold for the target accuracy; nothing if no target is guaranteed.

        The threshold of float32 proves nothing for it: scores near a threshold are where rounding matters.
        """
        if not self.target_accuracy:
            return {}
        own = guarantee(self.curve(found), self.target_accuracy)
        return {
            "target_accuracy": self.target_accuracy,
            "threshold": own.threshold,
            "answered": own.answered,
            "answered_in_fp32": self.curve(exact).at(self.abstain_below)[0],
        }


def are_near_ties(exact: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return whether float32's label leads the other one by no more than rounding moves a lead, bool (n,).

    How far it does is measured: the root mean square over all n texts of how their lead over the second class moves.

    Args:
        exact: logits of float32 (n, classes).
        found: those of the precision.
    """
    first, second = np.argsort(-exact, axis=1, kind="stable")[:, :2].T
    moved = _lead(found, first, second) - _lead(exact, first, second)
    noise = min(math.sqrt(float((moved**2).mean())), _CLEAR_LEAD)
    return _lead(exact, first, found.argmax(axis=1)) <= noise


def _lead(logits: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    rows = np.arange(len(logits))
    lead: np.ndarray = logits[rows, one].astype(np.float64) - logits[rows, other]
    return lead
