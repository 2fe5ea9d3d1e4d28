"""Compare a precision's predictions with float32's on the same texts."""

import math
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import coverage_curve
from bert_classifier.evaluation.calibration import calibration_scores, softmax
from bert_classifier.evaluation.metrics import Evaluation

# In logits: odds of 5 to 4 are no tie in any format, so that a completely wrong result cannot excuse itself.
_CLEAR_LEAD = math.log(1.25)


def facts_of_float32(exact: Evaluation, temperature: float, abstain_below: float) -> dict[str, Any]:
    """Return the fields of training.json on float32; see compared_with_float32."""
    return {"accuracy": exact.accuracy, **_scores(exact, temperature, abstain_below)}


def compared_with_float32(
    exact: Evaluation, found: Evaluation, temperature: float, abstain_below: float
) -> dict[str, Any]:
    """Return the fields of training.json on a precision, beside its probe_distance.

    Args:
        exact: in float32.
        found: the same texts in the precision.
    Returns:
        agreement: the share of texts with float32's label; same, near_ties, right, gained, lost: see
        artifact.agreement; accuracy; ece, nll, brier: of the calibrated scores; with a threshold, coverage and
        accuracy_of_answered.
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
        **_scores(found, temperature, abstain_below),
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


def _scores(result: Evaluation, temperature: float, abstain_below: float) -> dict[str, float]:
    scores = calibration_scores(result, temperature)
    if not abstain_below:
        return scores
    highest = softmax(result.logits, temperature).max(axis=1, initial=0.0)
    answered, right = coverage_curve(highest, result.are_right).at(abstain_below)
    return {
        **scores,
        "coverage": answered / max(1, result.count),
        "accuracy_of_answered": right / max(1, answered),
    }
