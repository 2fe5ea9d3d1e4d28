"""The outputs of an evaluation: evaluation.json, tables, report.html."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bert_classifier.evaluation import tables
from bert_classifier.evaluation.model_quality import model_quality
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.report.multi_label.outputs import LABEL_OUTPUTS, LABEL_WRITERS
from bert_classifier.job.atomic_io import copy_durably
from bert_classifier.job.json_files import write_json

REPORT = "report.html"
# In the order in which they are written.
OUTPUTS = (
    "evaluation.json",
    "confusion_matrix.csv",
    "per_class.csv",
    "errors.csv",
    "label_errors.csv",
    REPORT,
)


def write_outputs(folder: Path, context: ReportContext | MultiLabelContext) -> None:
    """Write all outputs for the reported channel, each file atomically.

    Raises:
        OSError: when the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reports-") as scratch:
        for name, write in _writers(context):
            staged = Path(scratch) / name
            write(staged)
            copy_durably(staged, folder / name)


def remove_outputs(folder: Path) -> None:
    """Remove the outputs of an earlier evaluation, whatever its task.

    Raises:
        OSError: when a file cannot be removed.
    """
    for name in {*OUTPUTS, *LABEL_OUTPUTS}:
        (folder / name).unlink(missing_ok=True)


def _writers(context: ReportContext | MultiLabelContext) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the name of each output, and what writes it."""
    if isinstance(context, MultiLabelContext):
        for name in LABEL_OUTPUTS:
            yield name, functools.partial(LABEL_WRITERS[name], context=context)
        return
    for name in OUTPUTS:
        yield name, functools.partial(_WRITERS[name], context=context)


def _write_evaluation(path: Path, context: ReportContext) -> None:
    guarantee = context.evaluation.guarantee
    more = {**context.scores, **(guarantee.metrics if guarantee else {})}
    quality = model_quality(context.channel, context.labels, context.result, more, context.positive)
    write_json(path, quality)


def _write_errors(path: Path, context: ReportContext) -> None:
    tables.write_label_issues(path, ("true", "predicted"), context.labels, context.mistakes, context.records)


def _write_label_errors(path: Path, context: ReportContext) -> None:
    tables.write_label_issues(
        path, ("label", "suggested"), context.labels, context.label_errors, context.records
    )


def _write_report(path: Path, context: ReportContext) -> None:
    from bert_classifier.evaluation.report.training_report import (
        render_training_report,  # loads matplotlib, Jinja
    )

    path.write_text(render_training_report(context), encoding="utf-8")


_WRITERS: dict[str, Callable[..., None]] = {
    "evaluation.json": _write_evaluation,
    "confusion_matrix.csv": lambda path, context: tables.write_confusion(
        path, context.labels, context.result
    ),
    "per_class.csv": lambda path, context: tables.write_per_class(path, context.labels, context.result),
    "errors.csv": _write_errors,
    "label_errors.csv": _write_label_errors,
    REPORT: _write_report,
}
