"""How right the model is: by class, by score, and where it abstains."""

from typing import Any

import numpy as np
from markupsafe import Markup

from bert_classifier.evaluation.calibration import highest_scores
from bert_classifier.evaluation.guarantee import CONFIDENCE
from bert_classifier.evaluation.reliability_bins import equal_mass_bins
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.section import Section

_MAX_ROWS = 20  # without a click
_MAX_CLASSES = 200


def classes_section(context: ReportContext) -> Section:
    """Return the section of precision, recall and F1 per class."""
    rows = _classes(context)
    shown = _MAX_ROWS if len(rows) > _MAX_ROWS + 5 else len(rows)  # not a handful apart
    values = {
        "rows": rows[:shown],
        "more": rows[shown:_MAX_CLASSES],
        "left_out": max(0, len(rows) - _MAX_CLASSES),
    }
    return Section("classes", "Scores per class", values)


def _classes(context: ReportContext) -> list[tuple[Any, ...]]:
    """Return number, label and scores of each class, the lowest F1 first, absent classes last."""
    result, labels = context.result, context.labels
    texts, predicted = result.confusion.sum(axis=1), result.confusion.sum(axis=0)
    f1 = result.f_score(1.0)
    columns = [of.tolist() for of in (f1, result.precision, result.recall, texts, predicted)]
    rows = list(zip(range(1, len(labels) + 1), labels, *columns, strict=True))
    return [rows[index] for index in np.lexsort((f1, (texts + predicted) == 0))]


def calibration_section(context: ReportContext) -> Section:
    """Return the section that compares scores with how often they are right."""
    values = {
        "plots": _reliability_plots(context),
        "is_calibrated": context.evaluation.temperature.value != 1,
        "facts": _calibration(context),
    }
    return Section("calibration", "Calibration", values)


def _reliability_plots(context: ReportContext) -> list[Markup]:
    result, is_calibrated = context.result, context.evaluation.temperature.value != 1
    before = highest_scores(result.logits, 1.0)
    after = context.probabilities.max(axis=1, initial=0.0)
    return [
        plots.reliability_diagram(
            equal_mass_bins(before, result.are_right) if is_calibrated else None, context.reliability_bins
        ),
        plots.score_histogram(before if is_calibrated else None, after),
    ]


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


def abstention_section(context: ReportContext) -> Section:
    """Return the section of thresholds: how many texts get a label, and how many of these are right."""
    evaluation = context.evaluation
    guaranteed = evaluation.guarantee
    curve = evaluation.curve(context.channel)
    texts = int(curve.accepted[-1])
    values = {
        "plot": plots.coverage_plot(curve, evaluation.abstain_below),
        "why_no_plot": f"{texts} are too few"
        if texts <= plots.FEW_TEXTS
        else "nearly all have the same score",
        "fixed": context.fixed_thresholds,
        "targets": context.target_thresholds,
        "is_promised": not context.folds,
        "abstain_below": evaluation.abstain_below,
        "sentence": guaranteed.sentence if guaranteed and guaranteed.threshold is not None else "",
        "confidence": CONFIDENCE,
    }
    return Section("abstention", "Abstention", values)
