"""evaluation.json: an evaluation as SageMaker's Model Registry shows it, as the model quality of a model package.

It is the file of `ModelMetrics.ModelQuality.Statistics` (boto3), or `ModelMetrics(model_statistics=…)` (SDK); pipelines
read it too. Format: SageMaker developer guide, "Model quality metrics". Every metric is `{"value",
"standard_deviation"}`; the latter is always "NaN", which the guide uses for none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.abstention import coverage_curve
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.metrics import ConfusionMatrix, Evaluation, Metrics

_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_CURVE_POINTS = 101


def model_quality(
    channel: str,
    labels: Sequence[str],
    result: Evaluation,
    more: Mapping[str, float],
    positive: int | None = None,
) -> dict[str, Any]:
    """Return the evaluation of one channel.

    Args:
        more: additional metrics, which the format allows.
        positive: index of the positive class; by default the second of two.
    """
    metrics = {**_multiclass(result), **more}
    quality = {
        "version": 0.0,
        "dataset": {"item_count": result.count, "channel": channel},
        "multiclass_classification_metrics": {
            "confusion_matrix": _confusion(labels, result),
            **as_metrics(metrics),
        },
    }
    if len(labels) == 2:
        quality["binary_classification_metrics"] = _binary_section(
            result, 1 if positive is None else positive
        )
    return quality


def as_metrics(values: Mapping[str, float]) -> dict[str, Any]:
    """Return values as the format has metrics."""
    return {name: {"value": value, "standard_deviation": "NaN"} for name, value in values.items()}


def _multiclass(result: Evaluation) -> dict[str, float]:
    """Return the scores of the model, and of always predicting the most frequent class."""
    counts = result.confusion.sum(axis=1)
    constant = np.zeros_like(result.confusion)
    constant[:, counts.argmax()] = counts
    scores = {**_weighted(result), "macro_f1": result.macro_f1, "loss": result.loss}
    of_constant = _weighted(ConfusionMatrix(constant))
    return {**scores, **{f"{name}_best_constant_classifier": value for name, value in of_constant.items()}}


def _weighted(result: Metrics) -> dict[str, float]:
    return {
        "accuracy": result.accuracy,
        "weighted_precision": result.weighted(result.precision),
        "weighted_recall": result.weighted(result.recall),
        **{f"weighted_{name}": result.weighted(result.f_score(beta)) for name, beta in _BETAS.items()},
    }


def _confusion(labels: Sequence[str], result: Evaluation) -> dict[str, dict[str, int]]:
    rows = zip(labels, result.confusion.tolist(), strict=True)
    return {label: dict(zip(labels, row, strict=True)) for label, row in rows}


def _binary_section(result: Evaluation, positive: int) -> dict[str, Any]:
    """Return the metrics of the positive class, which is "1" in the confusion matrix."""
    order = [1 - positive, positive]
    confusion = result.confusion[np.ix_(order, order)]
    curves = _curves(softmax(result.logits, 1.0)[:, positive], result.targets == positive)
    return {
        "confusion_matrix": {str(t): {str(p): int(confusion[t, p]) for p in (0, 1)} for t in (0, 1)},
        **as_metrics(_binary(result, positive)),
        **curves,
    }


def _binary(result: Evaluation, positive: int) -> dict[str, float]:
    """Return the scores of the positive class, and of always predicting it."""
    counts = result.confusion.sum(axis=1)
    always = np.zeros_like(result.confusion)
    always[:, positive] = counts
    negatives = max(1, int(counts[1 - positive]))
    alarms = float(result.confusion[1 - positive, positive] / negatives) if counts[1 - positive] else 0.0
    recall = float(result.recall[positive])
    of_constant = _of_class(ConfusionMatrix(always), positive)
    return {
        **_of_class(result, positive),
        "true_positive_rate": recall,
        "true_negative_rate": 1 - alarms if counts[1 - positive] else 0.0,
        "false_positive_rate": alarms,
        "false_negative_rate": 1 - recall if counts[positive] else 0.0,
        "auc": _auc(softmax(result.logits, 1.0)[:, positive], result.targets == positive),
        **{f"{name}_best_constant_classifier": value for name, value in of_constant.items()},
    }


def _of_class(result: Metrics, positive: int) -> dict[str, float]:
    return {
        "accuracy": result.accuracy,
        "precision": float(result.precision[positive]),
        "recall": float(result.recall[positive]),
        **{name: float(result.f_score(beta)[positive]) for name, beta in _BETAS.items()},
    }


def _auc(scores: np.ndarray, are_positive: np.ndarray) -> float:
    """Return the probability that a positive text outscores a negative one (Mann-Whitney); ties count half."""
    hits, alarms = _cumulated(scores, are_positive)
    if not hits[-1] or not alarms[-1]:
        return 0.0
    return float(np.trapezoid(hits / hits[-1], alarms / alarms[-1]))


def _curves(scores: np.ndarray, are_positive: np.ndarray) -> dict[str, Any]:
    """Return the ROC and the precision-recall curve, at no more than _CURVE_POINTS points."""
    hits, alarms = _cumulated(scores, are_positive)
    kept = np.unique(np.linspace(0, len(hits) - 1, _CURVE_POINTS).astype(np.int64))
    hits, alarms = hits[kept], alarms[kept]
    answered = hits + alarms
    recalls = hits / max(1, hits[-1])
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": (alarms / max(1, alarms[-1])).tolist(),
            "true_positive_rates": recalls.tolist(),
        },
        "precision_recall_curve": {
            "precisions": np.where(answered > 0, hits / np.maximum(answered, 1), 1.0).tolist(),
            "recalls": recalls.tolist(),
        },
    }


def _cumulated(scores: np.ndarray, are_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return true and false positives at each threshold, from the highest to the lowest."""
    curve = coverage_curve(scores, are_positive)
    return np.append(0, curve.right), np.append(0, curve.accepted - curve.right)
