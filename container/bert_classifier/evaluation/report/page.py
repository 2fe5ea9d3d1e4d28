"""The frame of every report: one HTML file for screen and paper, light and dark."""

import string
from collections.abc import Iterable
from pathlib import Path

from bert_classifier.evaluation.report import html

_FRAME = string.Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))


def page(title: str, parts: Iterable[html.Markup]) -> str:
    """Return a page with this title and these parts."""
    return _FRAME.substitute(title=html.escaped(title), body=html.joined(parts, "\n"))
