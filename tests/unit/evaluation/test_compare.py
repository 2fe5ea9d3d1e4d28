"""Two models side by side: paired tests against statsmodels and published numbers."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.compare import Comparison, changed_texts, compare
from bert_classifier.evaluation.report.comparison_report import (
    Pair,
    render_comparison_report,
    verdict,
    write_comparison,
)
from bert_classifier.evaluation.result import EvaluationResult
from support.evaluations import evaluation_of

COUNTS = st.integers(0, 60)


@given(first=COUNTS, second=COUNTS)
def test_the_p_values_are_those_of_statsmodels(first, second):
    """Exact and mid-p; without a text on which the models differ there is nothing to test."""
    compared = Comparison(first, second, 1000)
    table = [[500, first], [second, 500]]
    exact = mcnemar(table, exact=True).pvalue if first + second else 1
    assert compared.exact_p == pytest.approx(exact, rel=1e-9)
    mid = exact - stats.binom.pmf(min(first, second), first + second, 0.5) if first + second else 1
    if first == second and first:
        mid = 1 - stats.binom.pmf(first, 2 * first, 0.5) / 2
    assert compared.mid_p == pytest.approx(mid, rel=1e-9, abs=1e-12)


def test_the_published_example():
    """Fagerland et al. 2013, table 3: of 21 pairs 1 and 7 are discordant; exact p 0.070, mid-p 0.039."""
    found = Comparison(1, 7, 21)
    assert found.exact_p == pytest.approx(0.0703, abs=5e-5)
    assert found.mid_p == pytest.approx(0.0391, abs=5e-5)


def test_large_counts_do_not_overflow():
    """A hundred thousand differing texts are no trouble, and give what the normal approximation does."""
    found = Comparison(50_000, 50_700, 1_000_000)
    z = 700 / math.sqrt(100_700)
    assert found.mid_p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)


@given(first=COUNTS, second=COUNTS, alike=st.integers(0, 500))
def test_the_interval_holds_the_difference_and_turns_around(first, second, alike):
    """It lies within -1 and 1, is that of the models exchanged with other signs, and shrinks with more texts."""
    found = Comparison(first, second, first + second + alike)
    low, high = found.interval
    assert -1 <= low < high <= 1
    turned = Comparison(second, first, found.count).interval
    assert turned == pytest.approx((-high, -low))
    more = Comparison(10 * first, 10 * second, 10 * found.count).interval
    assert more[1] - more[0] < high - low + 1e-12


def test_the_interval_worked_out_by_hand():
    """Bonett and Price for 1 and 7 of 21: shares 2/23 and 8/23, ± 1.96·√((10/23 - (6/23)²)/23)."""
    half = 1.959964 * math.sqrt((10 / 23 - (6 / 23) ** 2) / 23)
    assert Comparison(1, 7, 21).interval == pytest.approx((6 / 23 - half, 6 / 23 + half))


# (true, first says, second says): three alike, one broken, two mended, one wrong in another way.
TRIPLES = [(0, 0, 0), (1, 1, 1), (2, 0, 0), (1, 1, 2), (0, 2, 0), (1, 0, 1), (2, 0, 1)]


def pair_of(triples: list[tuple[int, int, int]]) -> Pair:
    """Return two models with these answers."""
    results = [evaluation_of([(t[0], t[side]) for t in triples], classes=3, margin=3.0) for side in (1, 2)]
    found = [EvaluationResult({"d.csv": result}, Temperature(1.0), 0.0) for result in results]
    records = Records(
        [f"d.csv line {n}" for n in range(len(triples))], [f"<b>{n}</b>" for n in range(len(triples))]
    )
    return Pair(("one", "two"), ("a", "b", "c"), (found[0], found[1]), records)


def test_texts_are_counted_by_who_is_right():
    """Only texts that one model alone has right decide."""
    pair = pair_of(TRIPLES)
    assert compare(*pair.results) == Comparison(1, 2, 7)
    assert changed_texts(*pair.results).tolist() == [3, 4, 5, 6]


def test_what_changes_is_written_for_programs_and_for_people(tmp_path):
    """Numbers in JSON, the texts in CSV and on a page where nothing is unescaped."""
    write_comparison(tmp_path, pair_of(TRIPLES))
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert (found["only_first_right"], found["only_second_right"], found["texts"]) == (1, 2, 7)
    assert found["accuracy_difference"] == pytest.approx(1 / 7)
    assert found["first"]["accuracy"] == pytest.approx(3 / 7)
    lines = (tmp_path / "changed.csv").read_text().splitlines()
    assert lines[0] == "place,true,first,second,first_score,second_score,text"
    assert lines[1].startswith("d.csv line 3,b,b,c,0.9")
    assert len(lines) == 5
    page = (tmp_path / "comparison.html").read_text()
    assert "&lt;b&gt;3&lt;/b&gt;" in page
    assert "<b>3</b>" not in page


@pytest.mark.parametrize(
    ("broken", "mended", "words"),
    [
        (0, 40, "The second model is better"),
        (40, 1, "The first model is better"),
        (5, 6, "may well be chance"),
    ],
)
def test_the_verdict_says_what_may_be_concluded(broken, mended, words):
    """Better only where chance is an unlikely reason; so says the page's first heading."""
    pair = pair_of([(0, 0, 1)] * broken + [(0, 1, 0)] * mended + [(2, 2, 2)] * 100)
    assert words in verdict(pair)
    heading = "Neither model is clearly better" if "chance" in words else words
    assert f">{heading}.</h2>" in render_comparison_report(pair)


def test_the_better_model_is_named_first():
    """With a positive difference, whichever it is; on a phone the number of a cell stays with its unit."""
    pair = pair_of([(0, 0, 1)] * 40 + [(0, 1, 0)] * 1 + [(2, 2, 2)] * 59)
    assert verdict(pair).startswith(
        "Of 100 texts, only the first model is right on 40 and only the second on 1: a difference in accuracy of +39.00"
        " points (95 %: +28."
    )
    assert '<td data-head="change" class="number change">-39.00&nbsp;points</td>' in render_comparison_report(
        pair
    )


def test_texts_stand_below_who_is_right_about_them():
    """The most are shown of each kind, and the rest is in changed.csv."""
    pair = pair_of([(0, 0, 1)] * 30 + [(0, 1, 0)] * 2 + [(0, 1, 2)] + [(2, 2, 2)] * 10)
    page = render_comparison_report(pair)
    groups = [page.index(f"<b>{title}</b>: {count}") for title, count in (
        ("Only the first is right", "30 texts <small>(the first 25 are here)"),
        ("Only the second is right", "2 texts"),
        ("Both are wrong, in different ways", "1 text<"),
    )]  # fmt: skip
    quotes = [
        page[start:end].count("<blockquote>") for start, end in itertools.pairwise([*groups, len(page)])
    ]
    assert quotes == [25, 2, 1]
    assert "33 of 43 texts; all are in changed.csv." in page


def test_a_model_is_not_better_than_itself():
    """No text changes, and nothing is claimed."""
    pair = pair_of([(0, 0, 0), (1, 2, 2)])
    assert pair.comparison.mid_p == 1
    assert len(changed_texts(*pair.results)) == 0
    assert "chance" in verdict(pair)
    assert np.isfinite(pair.comparison.interval).all()
