"""The page at GET / in a real browser: texts in, bars out, on a phone too, and nothing loaded from elsewhere."""

import re
from collections.abc import Iterator

import pytest

from support import browser
from support.browser import Browser
from support.fakes import CLASS_NAMES
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

WIDTHS = (320, 390, 1200)  # pixels: the narrowest phones, a usual one, a desk
ROWS = """[...document.querySelectorAll('#classes li')].map(row => [
    row.children[0].textContent, parseFloat(row.children[1].textContent),
    100 * row.querySelector('.fill').offsetWidth / row.querySelector('.track').clientWidth])"""


needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="no headless Chromium is installed here")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    folder = tmp_path_factory.mktemp("page")
    make_artifact(folder / "model")
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(params=WIDTHS)
def page(server: ServingProcess, request: pytest.FixtureRequest) -> Iterator[Browser]:
    with Browser(width=request.param) as opened:
        opened.open(f"http://127.0.0.1:{server.port}/")
        yield opened


def test_it_is_one_file(server):
    """The page refers to nothing outside itself."""
    status, body = server.ask("GET", "/")
    assert status == 200
    assert not re.search(rb"https?://|src=|url\(|@import", body)


@needs_browser
def test_an_example_shows_its_classes(page, tmp_path):
    """A click on an example shows every class with a bar as wide as its score, most likely first."""
    page.evaluate("document.querySelector('[data-text]').click()")
    page.wait_for("document.querySelector('#classes li')")
    rows = page.evaluate(ROWS)
    assert sorted(label for label, _, _ in rows) == sorted(CLASS_NAMES[:3])
    scores = [score for _, score, _ in rows]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(100, abs=0.2)
    assert [bar for _, _, bar in rows] == pytest.approx(scores, abs=1)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), "nobody scrolls sideways"
    assert page.evaluate("[...document.querySelectorAll('button')].every(b => b.offsetHeight >= 44)")
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 5_000


@needs_browser
def test_a_text_the_model_is_not_sure_of(tmp_path):
    """The classes are shown all the same, none stands out, and a remark says that there would be no label."""
    make_artifact(tmp_path / "model")
    with ServingProcess(tmp_path, tmp_path / "log", serving_abstain_below=1) as unsure:
        unsure.wait_until_ready()
        with Browser(width=390) as page:
            page.open(f"http://127.0.0.1:{unsure.port}/")
            page.evaluate("document.querySelector('[data-text]').click()")
            page.wait_for("document.querySelector('#classes.unsure li')")
            assert "not sure enough" in page.evaluate("document.getElementById('note').textContent")
            assert len(page.evaluate(ROWS)) == 3


@needs_browser
def test_with_the_keyboard_alone(page):
    """Tab and Enter suffice: type a text, go to the button, press it."""
    page.press("Tab", 9)
    assert page.evaluate("document.activeElement.id") == "text"
    page.type("<b>apple</b>")
    page.press("Tab", 9)
    page.press("Enter", 13, "\r")
    page.wait_for("document.querySelector('#classes li')")
    assert page.evaluate("document.querySelectorAll('#result b').length") == 0
    assert page.evaluate("document.getElementById('problem').textContent") == ""


@needs_browser
def test_a_text_that_cannot_be_classified(page):
    """The page says why, and shows no classes of an earlier text."""
    page.evaluate("document.querySelector('[data-text]').click()")
    page.wait_for("document.querySelector('#classes li')")
    page.evaluate(
        "document.getElementById('text').value = '  '; document.getElementById('form').requestSubmit()"
    )
    page.wait_for("document.getElementById('problem').textContent")
    assert page.evaluate("document.getElementById('result').hidden")


@needs_browser
def test_the_policy_lets_nothing_else_in(page):
    """Neither a script that was put into the page nor a request to another server gets through."""
    assert page.evaluate(
        """new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'window.isCaptured = true';
            document.body.append(script);
        })"""
    ).startswith("script-src")
    assert page.evaluate("window.isCaptured") is None
    assert page.evaluate("fetch('http://127.0.0.2:1/').then(() => 'sent', () => 'refused')") == "refused"
    names = "[...document.querySelectorAll('button, textarea')].every(e => e.labels.length || e.textContent)"
    assert page.evaluate(names), "each control has a name that a screen reader tells"
