"""The outputs of an evaluation with several labels per text."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bert_classifier.evaluation.multi_label import tables
from bert_classifier.evaluation.multi_label.quality import label_quality
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.job.json_files import write_json

# In the order in which they are written.
LABEL_OUTPUTS = (
    "evaluation.json",
    "label_confusions.csv",
    "per_class.csv",
    "errors.csv",
    "label_errors.csv",
    "report.html",
)


def _write_evaluation(path: Path, context: MultiLabelContext) -> None:
    evaluation = context.evaluation
    scores = {
        **context.scores,
        "micro_f1_best_constant_classifier": context.headline.constant,
        **(evaluation.guarantee.metrics if evaluation.guarantee else {}),
    }
    quality = label_quality(
        context.channel,
        context.labels,
        context.answers,
        context.result.average_precisions,
        evaluation.thresholds_by_label,
        scores,
    )
    write_json(path, quality)


def _write_per_label(path: Path, context: MultiLabelContext) -> None:
    tables.write_per_label(
        path,
        context.labels,
        context.answers,
        context.result.average_precisions,
        context.calibration_errors,
        context.evaluation.thresholds,
    )


def _write_errors(path: Path, context: MultiLabelContext) -> None:
    tables.write_label_set_mistakes(path, context.labels, context.answers, context.mistakes, context.records)


def _write_report(path: Path, context: MultiLabelContext) -> None:
    from bert_classifier.evaluation.report.multi_label.page import (
        render_label_report,  # loads matplotlib, Jinja
    )

    path.write_text(render_label_report(context), encoding="utf-8")


LABEL_WRITERS: Mapping[str, Callable[..., None]] = {
    "evaluation.json": _write_evaluation,
    "label_confusions.csv": lambda path, context: tables.write_label_confusions(
        path, context.labels, context.answers
    ),
    "per_class.csv": _write_per_label,
    "errors.csv": _write_errors,
    "label_errors.csv": lambda path, context: tables.write_label_doubts(
        path, context.labels, context.doubts, context.records
    ),
    "report.html": _write_report,
}
