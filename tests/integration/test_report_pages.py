"""The reports in a real browser: nothing scrolls sideways, rows are cards on a phone, everything can be read."""

import dataclasses
import itertools
from collections.abc import Iterator

import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.report.comparison_report import Pair, render_comparison_report
from bert_classifier.evaluation.report.multi_label.comparison import LabelPair, render_label_comparison
from bert_classifier.evaluation.report.multi_label.page import render_label_report
from bert_classifier.evaluation.report.training_report import render_training_report
from bert_classifier.evaluation.result import EvaluationResult
from support import browser
from support.browser import Browser
from support.evaluations import evaluation_of
from support.label_reports import full_label_context, label_context
from support.reports import full_report_context, report_context

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="no headless Chromium is installed here")

WIDTHS = (390, 1280)  # pixels: a phone and a desk
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
SCROLLING = """[...document.querySelectorAll('body *:not(svg *)')].filter(box => box.scrollWidth > box.clientWidth + 1
    && getComputedStyle(box).display !== 'inline' && !box.closest('thead')).map(box => box.outerHTML.slice(0, 80))"""
BEYOND = """[...document.querySelectorAll('body *:not(svg *)')].filter(
    box => box.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    ).map(box => box.outerHTML.slice(0, 80))"""
HEADINGS = "[...document.querySelectorAll('h1, h2, h3, h4')].map(each => Number(each.tagName[1]))"
CELLS_WITHOUT_A_NAME = """[...document.querySelectorAll('table.cards:not(.rivals) td')].filter(
    cell => !cell.dataset.head).length"""
DISPLAY = "getComputedStyle(document.querySelector('table.cards tbody tr')).display"
# The colours of each text and of what lies behind it, as [red, green, blue] from 0 to 255.
COLOURS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = layers => { canvas.clearRect(0, 0, 1, 1);
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const behind = box => box ? [...behind(box.parentElement), getComputedStyle(box).backgroundColor] : ['white'];
  const own = box => [...box.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll('body *:not(style)')].filter(own).map(box => {
    const style = getComputedStyle(box), grounds = behind(box.closest('svg') || box);
    return [box.outerHTML.slice(0, 80), rgb([...grounds, box.closest('svg') ? style.fill : style.color]), rgb(grounds)];
  });
})()"""


def training_page() -> str:
    """Return a report of 14 classes with long names and texts."""
    labels = [f"A class with a long name, number {number}" for number in range(14)]
    return render_training_report(full_report_context(14, 200, labels=labels))


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


def label_page() -> str:
    """Return a report of 14 labels with long names, several of which a text may have."""
    labels = [f"A label with a long name, number {number}" for number in range(14)]
    return render_label_report(dataclasses.replace(full_label_context(14, 300), labels=labels))


def label_comparison_page() -> str:
    """Return a comparison of two models with several labels per text that disagree on most texts."""
    first, second = (label_context(14, 60, label_threshold=threshold) for threshold in (0.3, 0.7))
    names = ("a/long/folder/" * 5, "second")
    return render_label_comparison(
        LabelPair(names, first.labels, (first.evaluation, second.evaluation), first.records)
    )


PAGES = {
    "training": training_page,
    "comparison": comparison_page,
    "labels": label_page,
    "comparison of labels": label_comparison_page,
}


@pytest.fixture(
    scope="module",
    params=[(name, width) for name in PAGES for width in WIDTHS],
    ids=lambda p: f"{p[0]} {p[1]}",
)
def shown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Browser, str]]:
    """Return a browser of a width, and the address of a report for it."""
    name, width = request.param
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    with Browser(width) as opened:
        yield opened, path.as_uri()


@pytest.fixture
def page(shown: tuple[Browser, str]) -> Browser:
    """Return the browser that shows the report, as it is at first."""
    opened, address = shown
    opened.open("about:blank")
    opened.prefer("light")
    opened.open(address)
    return opened


def test_no_page_scrolls_sideways(page):
    """Nothing is wider than the window or than its own box, with all details open."""
    page.evaluate(OPEN_ALL)
    assert page.evaluate(BEYOND) == []
    assert page.evaluate(SCROLLING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_rows_are_cards_on_a_phone(page):
    """Where the heads of columns have no room, each cell names its own."""
    is_phone = page.evaluate("innerWidth") < 600
    assert page.evaluate(DISPLAY) == ("grid" if is_phone else "table-row")
    assert page.evaluate(CELLS_WITHOUT_A_NAME) == 0


def test_the_contents_lead_to_every_section(page):
    """Each entry has a section, with its title, and no section is without."""
    entries = page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => [a.getAttribute('href').slice(1), a.textContent])"
    )
    sections = page.evaluate(
        "[...document.querySelectorAll('main section:not(#result)')]"
        ".map(s => [s.id, s.querySelector('h2').textContent])"
    )
    assert entries == sections
    assert len(entries) > 2


def test_headings_and_tables_can_be_read_aloud(page):
    """Levels follow one another, header cells say what they head, and plots say what they show."""
    levels = page.evaluate(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    assert page.evaluate("document.querySelectorAll('svg:not([role=img][aria-label])').length") == 0


def luminance(colour: list[int]) -> float:
    """Return the relative luminance of a colour in sRGB, from 0 to 1 (WCAG 2.2)."""
    shares = [part / 255 for part in colour]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(page, scheme):
    """Its contrast to what lies behind it is at least 4.5 to 1 (WCAG 2.2, AA), in both colour schemes."""
    page.prefer(scheme)
    page.evaluate(OPEN_ALL)
    texts = page.evaluate(COLOURS)
    assert len(texts) > 50
    for words, *colours in texts:
        dark, bright = sorted(map(luminance, colours))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (words, colours)
