"""The reports in a real browser: no page scrolls sideways, and a table that does shows it at its edge."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.report.comparison_report import Pair, render_comparison_report
from bert_classifier.evaluation.report.training_report import render_training_report
from bert_classifier.evaluation.result import EvaluationResult
from support import browser
from support.browser import Browser
from support.evaluations import evaluation_of
from support.reports import report_context

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="no headless Chromium is installed here")

WIDTHS = (390, 1280)  # pixels: a phone and a desk
SCROLLING = """[...document.querySelectorAll('body *')].filter(
    box => box.scrollWidth > box.clientWidth && !['visible', 'hidden'].includes(getComputedStyle(box).overflowX))"""
BEYOND = """[...document.querySelectorAll('main *:not(.scroll *):not(svg *)')].filter(
    box => box.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    ).map(box => box.outerHTML.slice(0, 80))"""
RIGHT_EDGE = """(() => {{ const box = {scrolling}[{index}]; box.scrollIntoView({{block: 'start'}});
    box.scrollLeft = {left}; const at = box.getBoundingClientRect();
    return [Math.floor(at.right) - 3, Math.ceil(at.top) + 2, Math.min(innerHeight, at.bottom) - 2]; }})()"""


def training_page() -> str:
    """Return a report of 14 classes with long names and texts."""
    labels = [f"A class with a long name, number {number}" for number in range(14)]
    return render_training_report(report_context(14, 200, labels=labels))


def comparison_page() -> str:
    """Return a comparison of two models with long names that disagree on every text."""
    results = [evaluation_of([(n % 14, (n + shift) % 14) for n in range(60)], 14) for shift in (0, 1)]
    evaluations = [EvaluationResult({"mine.csv": result}, Temperature(1.0), 0.0) for result in results]
    context = report_context(14, 60)
    return render_comparison_report(
        Pair(
            ("a/long/folder/" * 5, "second"),
            context.labels,
            (evaluations[0], evaluations[1]),
            context.records,
        )
    )


PAGES = {"training": training_page, "comparison": comparison_page}


@pytest.fixture(params=[(name, width) for name in PAGES for width in WIDTHS], ids=lambda p: f"{p[0]} {p[1]}")
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    """Return a browser that shows a report."""
    name, width = request.param
    path = tmp_path / "report.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    with Browser(width) as opened:
        opened.open(path.as_uri())
        yield opened


def edge(page: Browser, index: int, left: int, picture: Path) -> np.ndarray:
    """Return the colours, float (height, 3), at the right edge of a scrolling box that was scrolled to `left`."""
    column, top, bottom = page.evaluate(RIGHT_EDGE.format(scrolling=SCROLLING, index=index, left=left))
    page.screenshot(picture)
    pixels = matplotlib.image.imread(picture)
    return np.asarray(pixels[int(top) : int(bottom), int(column), :3])


def test_no_page_scrolls_sideways(page):
    """Nothing outside a scrolling box is wider than the window."""
    assert page.evaluate(BEYOND) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_box_that_scrolls_shows_a_shadow_until_its_end(page, tmp_path):
    """Most of the right edge is shaded while content lies beyond it, and none is at the end."""
    boxes = page.evaluate(f"{SCROLLING}.length")
    assert boxes or page.evaluate("document.documentElement.clientWidth") > 390
    for index in range(boxes):
        more, end = (edge(page, index, left, tmp_path / f"{left}.png") for left in (0, 99_999))
        card = np.median(end, axis=0)
        assert np.mean(np.abs(end - card).max(axis=1) < 0.02) > 0.5
        assert np.mean(np.abs(more - card).max(axis=1) > 0.05) > 0.5, index
