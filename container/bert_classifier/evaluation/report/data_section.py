"""The data: what was understood of the files, what the data doctor found, token lengths, texts per class."""

from collections.abc import Mapping
from typing import Any

from bert_classifier.data.understood import classes_line, entries_of
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import PageContext
from bert_classifier.evaluation.report.section import Section

_MAX_ROWS = 20  # without a click
_MAX_CLASSES = 200


def data_section(context: PageContext) -> Section | None:
    """Return the section; None if nothing is known of the data."""
    if not (context.data or context.understood):
        return None
    understood = {
        name: {"files": list(entries_of(channel)), "classes": classes_line(channel)}
        for name, channel in context.understood.items()
    }
    return Section("data", "Data", {"understood": understood, **_examined(context.data)})


def _examined(data: Mapping[str, Any]) -> dict[str, Any]:
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
            "labels": rarest[:_MAX_ROWS],
            "more": rarest[_MAX_ROWS:_MAX_CLASSES],
            "others": max(0, len(rarest) - _MAX_CLASSES),
            "largest": max(1, *counts.values()),
        },
    }
