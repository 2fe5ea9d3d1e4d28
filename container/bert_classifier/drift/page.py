"""drift.html and drift.json."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bert_classifier.artifact.profile import LABELS, PREDICTIONS, SCORES, TOKENS
from bert_classifier.drift.report import NAMES, OF_ANSWERS, OF_TEXTS, DriftReport, bin_name
from bert_classifier.drift.rule import CHANCE, LARGE, MODERATE, Verdict
from bert_classifier.evaluation.report.render import render, unbroken
from bert_classifier.evaluation.report.section import Section
from bert_classifier.job.json_files import write_json

PAGE, VALUES = "drift.html", "drift.json"
_MOST_CLASSES = 30


def write_report(folder: Path, report: DriftReport) -> None:
    """Write the page and its values.

    Raises:
        OSError: when the folder cannot be written to.
    """
    write_json(folder / VALUES, report.as_json())
    (folder / PAGE).write_text(render_page(report), encoding="utf-8")


def render_page(report: DriftReport) -> str:
    """Return the page."""
    about = {
        "model": report.model,
        "baseline": report.then.source,
        "compared": f"{report.now.texts:,} texts of {report.data}",
        "captured": report.spans,
    }
    return render(
        "drift.html.j2",
        title=f"{report.data}, compared with {report.model}",
        about={name: value for name, value in about.items() if value},
        sentence=unbroken(report.sentence),
        details=report.details,
        notes=report.notes,
        next_step=report.next_step,
        has_drifted=report.has_drifted,
        tally=report.tally,
        now=report.now,
        then=report.then,
        sections=list(_sections(report)),
    )


def _sections(report: DriftReport) -> Iterator[Section]:
    rows = [
        {
            "name": NAMES[name],
            "finding": finding,
            "change": report.change(name),
            "is_drift": finding.verdict is Verdict.DRIFT,
        }
        for name, finding in report.findings.items()
    ]
    missing = [NAMES[name] for name in (*OF_ANSWERS, *OF_TEXTS) if name not in report.findings]
    yield Section("drift_measures", "What was compared", {"rows": rows, "missing": missing})
    if PREDICTIONS in report.findings:
        yield Section("drift_classes", "Predicted classes", _classes(report))
    plots = [_plot(report, name) for name in (SCORES, TOKENS) if name in report.findings]
    if plots:
        yield Section("drift_plots", "Scores and lengths", {"plots": plots})
    yield Section("drift_read", "What was read", {"tally": report.tally, "spans": report.spans})
    rule = {"chance": CHANCE, "moderate": MODERATE, "large": LARGE, "source": report.then.source}
    yield Section("drift_rule", "How it is judged", rule)


def _classes(report: DriftReport) -> dict[str, Any]:
    """Return the classes whose shares differ most."""
    then, now = report.then.measures[PREDICTIONS], report.now.measures[PREDICTIONS]
    before, after = (report.shares_in(profile, PREDICTIONS) for profile in (report.then, report.now))
    labels = report.shares_in(report.then, LABELS) if LABELS in report.then.measures else None
    order = np.argsort(-np.abs(after - before), kind="stable")[:_MOST_CLASSES].tolist()
    rows = [
        {
            "name": then.names[at],
            "label": None if labels is None else float(labels[at]),
            "before": float(before[at]),
            "after": float(after[at]),
            "texts": int(now.counts[at]),
        }
        for at in order
    ]
    return {
        "rows": rows,
        "count": len(then.names),
        "has_labels": labels is not None,
        "has_label_sets": report.has_label_sets,
    }


def _plot(report: DriftReport, name: str) -> Any:
    from bert_classifier.evaluation.report.plots import shares_then_and_now  # loads matplotlib

    then, now = report.then.measures[name], report.now.measures[name]
    filled = np.flatnonzero(then.counts + now.counts)
    shown = range(int(filled[0]), int(filled[-1]) + 1)
    names = [bin_name(then, at) for at in shown]
    return shares_then_and_now(NAMES[name], names, then.shares[list(shown)], now.shares[list(shown)])
