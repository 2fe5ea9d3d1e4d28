"""How often the labels with a score are there: over all labels, and for each."""

from typing import Any

import numpy as np

from bert_classifier.evaluation.multi_label.calibration import sigmoid
from bert_classifier.evaluation.reliability_bins import equal_mass_bins
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.report.section import Section

_MAX_ROWS = 20
_MAX_CLASSES = 200


def label_calibration_section(context: MultiLabelContext) -> Section:
    """Return the section that compares scores with how often the labels are there."""
    temperature, scores = context.evaluation.temperature, context.scores
    is_fitted = temperature.value != 1
    pairs = {
        "mean calibration error of the labels": (scores["ece_uncalibrated"], scores["ece"]),
        "binary cross-entropy": (scores["loss"], scores["nll"]),
    }
    rows = _rows(context)
    values = {
        "plots": _plots(context),
        "is_calibrated": is_fitted,
        "facts": {
            "temperature": f"{temperature.value:g}"
            + (f" (not fitted: {temperature.reason})" if temperature.reason else ""),
            **{
                name: f"{before:.4f} before, {after:.4f} after" if is_fitted else f"{after:.4f}"
                for name, (before, after) in pairs.items()
            },
            "Brier score": f"{scores['brier']:.4f}{' after' if is_fitted else ''}",
        },
        "rows": rows[:_MAX_ROWS],
        "more": rows[_MAX_ROWS:_MAX_CLASSES],
        "left_out": max(0, len(rows) - _MAX_CLASSES),
    }
    return Section("label_calibration", "Calibration", values)


def _plots(context: MultiLabelContext) -> list[Any]:
    """Return the reliability diagram and the histogram of all scores."""
    are_actual = context.answers.are_actual.ravel()
    after = context.probabilities.ravel()
    is_fitted = context.evaluation.temperature.value != 1
    before = sigmoid(context.result.logits, 1.0).ravel() if is_fitted else None
    return [
        plots.reliability_diagram(
            None if before is None else equal_mass_bins(before, are_actual),
            equal_mass_bins(after, are_actual),
        ),
        plots.score_histogram(before, after),
    ]


def _rows(context: MultiLabelContext) -> list[dict[str, Any]]:
    """Return the mean score and the share of texts of each label, the largest calibration error first."""
    errors = context.calibration_errors
    scores = context.probabilities.mean(axis=0) if context.answers.count else np.zeros(len(errors))
    return [
        {
            "label": context.labels[index],
            "error": float(errors[index]),
            "score": float(scores[index]),
            "share": int(context.answers.support[index]) / max(1, context.answers.count),
        }
        for index in np.argsort(-errors, kind="stable").tolist()
    ]
