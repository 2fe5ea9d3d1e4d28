"""The report's part about the data: what it says of lengths, and where it draws max_seq_length."""

import dataclasses
import html
import re
from typing import Any

import numpy as np
import pytest

from bert_classifier.data.doctor.report import TokenCounts
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.training_report import render_training_report
from support.reports import report_context

TOKENS = TokenCounts.of(np.arange(1, 51), np.arange(1, 51) > 49, 16)
CHANNEL = {
    "texts": 50, "empty": 0, "duplicates": 0, "conflicting": 0, "encoding": 0, "classes": {"a": 30, "b": 20},
    "tokens": dataclasses.asdict(TOKENS),
}  # fmt: skip
DATA = {
    "channels": {"train": CHANNEL, "validation": CHANNEL}, "leakage": {"validation": 0}, "findings": [],
    "max_seq_length": 16, "recommended_max_seq_length": 32, "recommended_whole_share": 0.99,
    "longest_max_seq_length": 512,
}  # fmt: skip


def section(**changes: Any) -> str:
    """Return the words of a report on this data, with some values changed."""
    page = render_training_report(report_context(2, data={**DATA, **changes}))
    return " ".join(html.unescape(page).split())


def test_a_length_that_the_model_cannot_take_is_not_recommended():
    """The limit is named, with what it leaves whole."""
    limited = section(
        recommended_max_seq_length=64,
        recommended_whole_share=0.87,
        longest_max_seq_length=64,
        max_seq_length=64,
    )
    assert "99 % of them" not in limited
    assert "64, the most that the model takes, would leave 87.0 % of them whole." in limited


def test_what_is_enough_is_said_and_what_is_cut():
    """The share is that of the training texts."""
    words = "With max_seq_length=16, 2.0 % of them are cut; 32 would leave 99 % of them whole."
    assert words in section()


def test_what_was_understood_comes_first():
    """Files, columns and classes of each channel precede what was found in them, and their names are no HTML."""
    page = render_training_report(report_context(2))
    assert page.index("Files as understood") < page.index("Findings") < page.index("Texts by class")
    assert "<dt>validation.txt</dt><dd>60 rows, 3 without a text left out.</dd>" in page
    assert (
        "the label is &#39;&lt;b&gt;label&lt;/b&gt;&#39;, the text &#39;review&#39; after the title" in page
    )
    assert "Files as understood" not in render_training_report(report_context(2, understood={}))


def drawn_places(lengths: np.ndarray, limit: int) -> tuple[list[float], float | None]:
    """Return the left edges of the bars that the histogram's SVG draws, and the place of its line, in its units."""
    tokens = TokenCounts.of(lengths, lengths > limit, limit)
    histogram = {"edges": tokens.histogram.edges, "counts": tokens.histogram.counts}
    svg = plots.length_histogram({"histogram": histogram}, limit)
    bars = [
        float(x) for x in re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL [^"]*z\n" clip-path[^>]*fill: var', svg)
    ]
    lines = re.findall(
        r'<path d="M ([\d.]+) [\d.]+ \nL \1 [\d.]+ \n"[^>]*stroke-dasharray[^>]*var\(--second\)', svg
    )
    assert len(bars) == len(histogram["counts"])
    return bars, float(lines[0]) if lines else None


# The case as it was met: 99 % within 120 tokens, a few texts beyond 128; 120 and more stood left of the line at 128.
LENGTHS = np.concatenate([np.tile(np.arange(8, 116), 10), [118] * 5, [140, 150, 200]])


@pytest.mark.parametrize("limit", [16, 64, 120, 128, 136])
def test_longer_texts_stand_right_of_the_line(limit):
    """The last bar holds all that is longer: it begins at the line or to its right."""
    bars, line = drawn_places(LENGTHS, limit)
    assert line is not None
    assert bars[-1] >= line - 0.01


def test_a_line_that_has_no_place_is_not_drawn():
    """Where no text is as long as max_seq_length, or it lies far beyond most, the bars alone are drawn."""
    assert drawn_places(LENGTHS, 512)[1] is None
    assert drawn_places(np.concatenate([np.full(1000, 10), [5000]]), 2048)[1] is None
