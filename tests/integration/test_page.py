"""The page at GET / in a real browser: texts in, bars out, on a phone too, and nothing loaded from elsewhere."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support import browser
from support.browser import Browser
from support.fakes import CLASS_NAMES
from support.serving_process import ServingProcess
from support.toy_artifact import OF_PAIRS, make_artifact

EXAMPLES = [
    "The river and the ocean, word, word, word, word, word, word, word, word",
    "<b>apple</b> it's",
    "\u202eviolin",
]
HOSTILE = ["</script><img src=x onerror=alert(1)>", "\"quoted\" & 'single'", "\u202ereversed", "&lt;b&gt;"]
OWN_ANSWERS: dict[str, Any] = {
    "sagemaker_inference_output": "predicted_label",
    "sagemaker_default_invocations_accept": "text/csv",
}
WIDTHS = (320, 390, 1200)  # pixels: the narrowest phones, a usual one, a desk
ROWS = """[...document.querySelectorAll('#classes li')].map(row => [
    row.children[0].textContent, parseFloat(row.children[1].textContent),
    100 * row.querySelector('.fill').offsetWidth / row.querySelector('.track').clientWidth])"""


needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="no headless Chromium is installed here")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    folder = tmp_path_factory.mktemp("page")
    make_artifact(folder / "model", page_examples=EXAMPLES)
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(params=WIDTHS)
def page(server: ServingProcess, request: pytest.FixtureRequest) -> Iterator[Browser]:
    with Browser(width=request.param) as opened:
        show(opened, server)
        yield opened


def show(page: Browser, server: ServingProcess) -> None:
    """Open the server's page, and return when it shows the model."""
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait_for("!document.getElementById('model').hidden")


def texts_of(page: Browser, selector: str) -> list[str]:
    """Return the text of all elements that match."""
    texts: list[str] = page.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")
    return texts


def write(page: Browser, text: str) -> None:
    """Write a text into the box, as typing does."""
    page.evaluate(
        f"(() => {{ const box = document.getElementById('text'); box.value = {json.dumps(text)};"
        " box.dispatchEvent(new Event('input')); })()"
    )


def test_it_is_one_file(server):
    """The page refers to nothing outside itself."""
    status, body = server.ask("GET", "/")
    assert status == 200
    assert not re.search(rb"https?://|src=|url\(|@import", body)


@needs_browser
def test_an_example_shows_its_classes(page, tmp_path):
    """A click on an example shows every class with a bar as wide as its score, most likely first."""
    page.evaluate("document.querySelector('#examples button').click()")
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
    """The classes are shown all the same, none stands out, and a remark says that there would be no label.

    Settings that give other clients other answers change nothing here.
    """
    make_artifact(tmp_path / "model")
    with ServingProcess(tmp_path, tmp_path / "log", serving_abstain_below=1, **OWN_ANSWERS) as unsure:
        unsure.wait_until_ready()
        with Browser(width=390) as page:
            show(page, unsure)
            assert texts_of(page, "#examples button") == []
            assert page.evaluate("document.getElementById('offered').hidden"), "nobody allowed to show texts"
            assert "no label where the score is below 100.0 %" in texts_of(page, "#facts dd")
            write(page, "apple")
            page.evaluate("document.getElementById('form').requestSubmit()")
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
    page.evaluate("document.querySelector('#examples button').click()")
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
    boxes = "[...document.querySelectorAll('.box')]"
    assert page.evaluate(f"{boxes}.every(e => e.tabIndex === 0 && e.getAttribute('aria-labelledby'))"), (
        "what scrolls can be reached with the keyboard, and has a name"
    )


@needs_browser
def test_examples_are_the_models_own_texts(page):
    """Each button bears a text's beginning and puts the whole of it into the box; none of it is markup."""
    assert texts_of(page, "#examples button") == [EXAMPLES[0][:60] + "…", *EXAMPLES[1:]]
    for number, text in enumerate(EXAMPLES):
        page.evaluate(f"document.querySelectorAll('#examples button')[{number}].click()")
        assert page.evaluate("document.getElementById('text').value") == text
    assert page.evaluate("document.querySelectorAll('#examples b').length") == 0


@needs_browser
@pytest.mark.parametrize("page", [390], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "apple",
        'it\'s $HOME `id` $(id) \\ "x" !! %s\n@two\tlines',
        "\u202e\u00ad\u200bгруша \U0001f34e",
        "'" * 9,
        "\ud800",
    ],
    ids=ascii,
)
def test_the_curl_works_in_a_shell(page, server, text, tmp_path):
    """A POSIX shell gives curl the page's own address and the text as it is; the answer is the server's."""
    write(page, text)
    command = page.evaluate("document.getElementById('curl').textContent")
    shown = ["sh", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}; {command}"]
    given = subprocess.run(shown, capture_output=True, check=True, cwd=tmp_path).stdout.split(b"\0")
    assert given[:3] == [b"-H", b"Content-Type: application/json", b"-d"]
    assert given[4:] == [f"http://127.0.0.1:{server.port}/invocations".encode(), b""]
    assert json.loads(given[3]) == {"inputs": text or "a text"}
    real = subprocess.run(["sh", "-c", command], capture_output=True, check=True, cwd=tmp_path)
    assert json.loads(real.stdout) == json.loads(server.invoke(json.dumps({"inputs": text or "a text"}))[1])
    assert list(tmp_path.iterdir()) == []


@needs_browser
def test_a_thousand_hostile_classes(tmp_path):
    """All are listed, with their number and as text; ten are shown with their scores, the others unfold."""
    names = [*HOSTILE, *(f"class {number} of a long and winding taxonomy" for number in range(996))]
    scores = {"texts": 1234, "accuracy": 0.914, "accuracy_low": 0.897, "accuracy_high": 0.928}
    about: dict[str, Any] = {
        "lives": [{"job_name": "<i>job</i>", "began": "2026-11-28T22:10:11+00:00"}],
        "metrics": {"test": scores},
    }
    make_artifact(tmp_path / "model", classes=1000, names=names, page_examples=EXAMPLES, **about)
    with Browser(width=390) as page, ServingProcess(tmp_path, tmp_path / "log") as server:
        server.wait_until_it_listens()
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait_for("document.getElementById('status').textContent")
        assert "The model is being loaded" in page.evaluate("document.getElementById('status').textContent")
        page.wait_for("!document.getElementById('model').hidden")
        assert page.evaluate("document.getElementById('status').textContent") == "The model is ready."
        assert page.evaluate("document.title") == "<i>job</i> – text classification"
        assert texts_of(page, "#labels-title") == ["1,000 classes"]
        assert texts_of(page, "#labels li") == names
        facts = dict(zip(texts_of(page, "#facts dt"), texts_of(page, "#facts dd"), strict=True))
        assert facts["Training job"] == "<i>job</i>"
        assert facts["Last training began"] == "2026-11-28 22:10 UTC"
        assert facts["Accuracy on test"] == "91.4 % of 1,234 texts (95 % interval: 90 to 93 %)"
        assert facts["Abstention"] == "none: each text gets a label"
        page.evaluate("document.querySelector('#examples button').click()")
        page.wait_for("document.querySelector('#classes li')")
        shown, others = texts_of(page, "#classes bdi"), texts_of(page, "#others bdi")
        assert len(shown) == 10
        assert sorted([*shown, *others]) == sorted(names)
        assert not page.evaluate("document.getElementById('rest').open")
        page.evaluate("document.querySelector('#rest summary').click()")
        assert page.evaluate("document.querySelector('#others li').offsetHeight > 0")
        assert page.evaluate("document.querySelectorAll('main img, main i, main script').length") == 0
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), "nobody scrolls sideways"
        assert page.evaluate("document.getElementById('labels').offsetHeight < 300")


SEVERAL = {"Alpha": 0.0, "Beta": 1.0, "Gamma": None}


@needs_browser
def test_a_model_with_several_labels(tmp_path):
    """Labels over their thresholds are chips with scores; each class tells its threshold, or that it has none."""
    make_artifact(tmp_path / "model", task="multi", thresholds=SEVERAL, page_examples=EXAMPLES)
    with ServingProcess(tmp_path, tmp_path / "log") as several, Browser(width=320) as page:
        several.wait_until_ready()
        show(page, several)
        assert texts_of(page, "h1") == ["Which labels fit this text?"]
        assert texts_of(page, "#labels li") == [
            "Alpha from 0.00 %", "Beta from 100.0 %", "Gamma never answered",
        ]  # fmt: skip
        page.evaluate("document.querySelector('#examples button').click()")
        page.wait_for("document.querySelector('#classes li')")
        assert texts_of(page, "#chips bdi") == ["Alpha"]
        (chip,) = texts_of(page, "#chips li")
        rows = {label: score for label, score, _ in page.evaluate(ROWS)}
        assert float(chip.removeprefix("Alpha ").removesuffix(" %")) == rows["Alpha"]
        assert any("never answered" in row for row in texts_of(page, "#classes li"))
        assert page.evaluate("document.querySelectorAll('#classes .limit').length") == 2
        assert page.evaluate("document.getElementById('second').hidden")
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), "nobody scrolls sideways"
        page.screenshot(tmp_path / "page.png")


@needs_browser
def test_a_model_of_pairs(tmp_path):
    """There is a second box, examples fill both, and the curl sends both."""
    example = {"text": "apple", "text_pair": "river"}
    make_artifact(tmp_path / "model", page_examples=[example], **OF_PAIRS)
    with ServingProcess(tmp_path, tmp_path / "log") as paired, Browser(width=320) as page:
        paired.wait_until_ready()
        show(page, paired)
        assert texts_of(page, "h1, #hint, #curl-title") == [
            "Which class are these two texts?",
            "The texts are sent to this server only, and are not stored.",
            "These texts from a shell",
        ]
        assert texts_of(page, "#examples button") == ["apple · river"]
        page.evaluate("document.querySelector('#examples button').click()")
        page.wait_for("document.querySelector('#classes li')")
        boxes = [page.evaluate(f"document.getElementById('{name}').value") for name in ("text", "pair")]
        assert boxes == ["apple", "river"]
        assert page.evaluate("document.getElementById('problem').textContent") == ""
        command = page.evaluate("document.getElementById('curl').textContent")
        sent = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
        assert json.loads(sent.stdout).keys() == {"label", "score"}
        assert page.evaluate("document.querySelector('#second textarea').labels.length") == 1
