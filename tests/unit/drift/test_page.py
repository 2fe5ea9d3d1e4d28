"""drift.html: everything is on it, nothing is from elsewhere, it fits a phone, and names are no markup."""

import re
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.profile import LABELS, PREDICTIONS, SCORES, TOKENS, TRUNCATED, UNKNOWN, Profile
from bert_classifier.drift.observed import Tally
from bert_classifier.drift.page import render_page
from bert_classifier.drift.report import DriftReport, bin_name
from bert_classifier.drift.rule import Verdict, compare_all
from support.browser import PROGRAM, Browser

CLASSES = ["ham", "spam <b>&", *(f"a-class-with-a-long-name-{number}" for number in range(40))]


def profile(texts: int, seed: int, first: float) -> Profile:
    """Return a simulated profile, whose first class has this share."""
    draw = np.random.default_rng(seed)
    rest = (1 - first) / (len(CLASSES) - 1)
    labels = draw.choice(len(CLASSES), texts, p=[first, *[rest] * (len(CLASSES) - 1)])
    values = {
        LABELS: labels,
        PREDICTIONS: labels,
        SCORES: 1 - draw.exponential(0.1, texts).clip(0, 0.9),
        TOKENS: draw.lognormal(3, 1, texts).astype(np.int64),
        TRUNCATED: draw.random(texts) < 0.1,
        UNKNOWN: np.where(draw.random(texts) < 0.3, 0.1, 0.0),
    }
    return Profile.of(f"{texts} texts of the validation channel", texts, CLASSES, values)


def report(now: Profile, refused: int = 0) -> DriftReport:
    """Return the comparison of 2,000 simulated texts with others."""
    then = profile(2000, 1, 0.1)
    tally = Tally(files=2, requests=300, texts=now.texts, answers=now.texts, refused=refused)
    tally.unreadable["the encoding is none of CSV, JSON and BASE64"] = 3
    measures = {name: of for name, of in then.measures.items() if name != LABELS}
    return DriftReport(
        "my/model", "captured <i>", then, now, compare_all(measures, now.measures), tally, ["A note."]
    )


@pytest.fixture(scope="module")
def drifted() -> DriftReport:
    """Return a report of a drift in the classes."""
    return report(profile(1500, 2, 0.4), refused=7)


def test_the_page_says_what_differs_and_what_was_not_read(drifted):
    """Sentence, measures with their verdicts, classes by their change, reasons, source of the baseline, next step."""
    page = render_page(drifted).replace("\u00a0", " ")
    text = re.sub(r"<[^>]+>", " ", page)
    assert "Drift: predicted classes of 1,500 texts differ by far from the baseline." in text
    assert re.search(r"Predicted classes: ham: [\d.]+ % → [\d.]+ %", text)
    assert "2000 texts of the validation channel" in text
    assert "the encoding is none of CSV, JSON and BASE64" in text
    assert "Not compared: texts without a label" in text
    assert "The first 30 of 42" in text
    assert "Next: label some of these texts" in text
    assert drifted.of(Verdict.DRIFT) == [PREDICTIONS]
    assert drifted.as_json()["drift"] is True


def test_names_are_no_markup_and_nothing_is_loaded(drifted):
    """A class, a file: their names are escaped; the page refers to nothing outside itself."""
    page = render_page(drifted)
    assert "spam <b>&" not in page
    assert "captured <i>" not in page
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", page)


def test_a_page_without_a_difference_says_so():
    """And what to do next; too few texts are told from none."""
    same = report(profile(1500, 3, 0.1))
    assert (same.has_drifted, same.sentence) == (False, "No drift: 1,500 texts look like the baseline.")
    few = report(profile(12, 4, 0.1))
    assert few.sentence == "Too few texts to tell: 12 texts, and 2,000 in the baseline."
    assert "SINCE=7d" in few.next_step
    assert "12 texts" in few.sentence


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window(drifted, tmp_path, width):
    """On a phone and on a desk, nothing scrolls sideways, in light and in dark."""
    path = Path(tmp_path / "drift.html")
    path.write_text(render_page(drifted), encoding="utf-8")
    with Browser(width) as browser:
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            browser.open(path.as_uri())
            assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_bins_are_named_as_people_read_them():
    """Classes by name; tokens as whole numbers; shares in percent; the first and the last bin are open."""
    measures = profile(10, 5, 0.1).measures
    names = {name: [bin_name(of, at) for at in range(len(of.counts))] for name, of in measures.items()}
    assert names[PREDICTIONS] == CLASSES
    assert names[TOKENS][:3] == ["0 to 7", "8 to 11", "12 to 15"]
    assert names[TOKENS][-1] == "4,096 or more"
    assert [name.replace("\u00a0", " ") for name in names[SCORES]][:2] == ["up to 20 %", "20 to 40 %"]
    assert [name.replace("\u00a0", " ") for name in names[SCORES]][-2:] == [
        "99.5 to 99.9 %",
        "99.9 % or more",
    ]
    assert [name.replace("\u00a0", " ") for name in names[UNKNOWN]] == [
        "none", "up to 2 %", "2 to 5 %", "5 to 10 %", "10 to 20 %", "20 % or more",
    ]  # fmt: skip
