"""report.html: the evaluation of a trained model on one channel, as a self-contained page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from bert_classifier.data.understood import classes_line, entries_of
from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.calibration import reliability, softmax
from bert_classifier.evaluation.guarantee import CONFIDENCE, guarantee
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import LearningCurve, ReportContext
from bert_classifier.evaluation.report.render import render

_MAX_MATRIX_CLASSES = 30  # with more, the confusion matrix is a plot
_MAX_PAIRS = 15
_MAX_CLASSES_OF_DATA = 60
_MOSTLY_RIGHT = 0.8  # accuracy below which its label issues say more about the model than about the labels
_TARGETS = (0.95, 0.98, 0.99, 0.995, 0.999)


def render_training_report(context: ReportContext) -> str:
    """Return the report as one HTML page."""
    result, evaluation = context.result, context.evaluation
    return render(
        "training.html.j2",
        title=context.title,
        labels=context.labels,
        channel=context.channel,
        result=result,
        right=int(result.confusion.trace()),
        commonest=float(result.confusion.sum(axis=1).max() / max(1, result.count)),
        warnings=context.warnings,
        understood={
            name: {"files": list(entries_of(channel)), "classes": classes_line(channel)}
            for name, channel in context.understood.items()
        },
        scores=context.scores,
        others={name: of for name, of in evaluation.summaries.items() if name != context.channel},
        is_calibrated=evaluation.temperature.value != 1,
        abstain_below=evaluation.abstain_below,
        curve=_curve(context.curve) if context.curve and context.curve.evaluations else None,
        confusion=_confusion(context),
        classes=_classes(context),
        reliability=_reliability_plots(context),
        calibration=_calibration(context),
        coverage=_coverage(evaluation.curve(context.channel), evaluation.abstain_below),
        guarantee=evaluation.guarantee,
        confidence=CONFIDENCE,
        rows=context.records,
        mistakes=context.mistakes,
        label_errors=context.label_errors,
        is_mostly_right=result.accuracy >= _MOSTLY_RIGHT,
        fact_groups=context.facts,
        **_data(context.data),
    )


def _curve(curve: LearningCurve) -> dict[str, Any]:
    kept = (evaluation[2] for evaluation in curve.evaluations if evaluation[0] == curve.kept_step)
    return {
        "plots": plots.learning_curve(curve),
        "kept_step": curve.kept_step,
        "kept_accuracy": next(kept, None),
    }


def _confusion(context: ReportContext) -> dict[str, Any]:
    labels, matrix = context.labels, context.result.confusion
    totals = matrix.sum(axis=1)
    is_table = len(labels) <= _MAX_MATRIX_CLASSES
    return {
        "rows": [
            {"label": label, "cells": _cells(true, matrix[true].tolist())}
            for true, label in enumerate(labels)
        ]
        if is_table
        else [],
        "map": "" if is_table else plots.confusion_map(matrix),
        "pairs": [
            (
                labels[true],
                labels[predicted],
                int(matrix[true, predicted]),
                matrix[true, predicted] / totals[true],
            )
            for true, predicted in _confused_pairs(matrix)
        ],
    }


def _cells(true: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    total = max(1, sum(counts))
    return [
        {"count": count, "kind": "right", "share": count / total}
        if predicted == true
        # The square root makes even one mistake among thousands visible.
        else {"count": count, "kind": "wrong" if count else "none", "share": (count / total) ** 0.5}
        for predicted, count in enumerate(counts)
    ]


def _confused_pairs(matrix: np.ndarray) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with the most mistakes, at most _MAX_PAIRS."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MAX_PAIRS]
    pairs = [divmod(int(flat), len(wrong)) for flat in order]
    return [pair for pair in pairs if wrong[pair]]


def _classes(context: ReportContext) -> list[tuple[Any, ...]]:
    """Return number, label and scores of each class, the lowest F1 first, absent classes last."""
    result, labels = context.result, context.labels
    texts, predicted = result.confusion.sum(axis=1), result.confusion.sum(axis=0)
    f1 = result.f_score(1.0)
    columns = [of.tolist() for of in (f1, result.precision, result.recall, texts, predicted)]
    rows = list(zip(range(1, len(labels) + 1), labels, *columns, strict=True))
    return [rows[index] for index in np.lexsort((f1, (texts + predicted) == 0))]


def _reliability_plots(context: ReportContext) -> list[Markup]:
    result, temperature = context.result, context.evaluation.temperature.value
    before, after = (
        reliability(softmax(result.logits, t).max(axis=1, initial=0.0), result.are_right)
        for t in (1.0, temperature)
    )
    return plots.reliability_diagram(before if temperature != 1 else None, after)


def _calibration(context: ReportContext) -> dict[str, str]:
    scores, temperature = context.scores, context.evaluation.temperature
    is_fitted = temperature.value != 1
    pairs = {
        "expected calibration error": (scores["ece_uncalibrated"], scores["ece"]),
        "negative log-likelihood": (scores["loss"], scores["nll"]),
    }
    return {
        "temperature": f"{temperature.value:g}"
        + (f" (not fitted: {temperature.reason})" if temperature.reason else ""),
        **{
            name: f"{before:.4f} before, {after:.4f} after" if is_fitted else f"{after:.4f}"
            for name, (before, after) in pairs.items()
        },
        "Brier score": f"{scores['brier']:.4f}{' after' if is_fitted else ''}",
    }


def _coverage(curve: CoverageCurve, abstain_below: float) -> dict[str, Any]:
    texts = int(curve.accepted[-1])
    why = f"{texts} are too few" if texts <= plots.FEW_TEXTS else "nearly all have the same score"
    return {
        "plot": plots.coverage_plot(curve, abstain_below),
        "why_no_plot": why,
        "rows": [guarantee(curve, target) for target in _TARGETS],
    }


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data report, the plot of lengths, and the classes with the fewest texts."""
    if not data:
        return {"data": None}
    train = data["channels"]["train"]
    counts = train["classes"]
    rarest = sorted(counts, key=lambda label: counts[label])
    return {
        "data": data,
        "lengths": plots.length_histogram(train["tokens"], data["max_seq_length"]),
        "rarest": {
            "labels": rarest[:_MAX_CLASSES_OF_DATA],
            "others": max(0, len(rarest) - _MAX_CLASSES_OF_DATA),
            "largest": max(1, *counts.values()),
        },
    }
