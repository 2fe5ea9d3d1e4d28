"""The guarantee's arithmetic against scipy's and statsmodels' exact quantiles, and what it says."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from bert_classifier.evaluation.abstention import CoverageCurve, coverage_curve
from bert_classifier.evaluation.guarantee import (
    CONFIDENCE,
    chances,
    guarantee,
    least_texts,
    lower_bound,
    shortage_of_texts,
)

TARGETS = st.sampled_from([0.02, 0.5, 0.9, 0.95, 0.99, 0.999])
# Few distinct scores, so that many are equal.
TEXTS = st.lists(st.tuples(st.integers(0, 12).map(lambda n: n / 16), st.booleans()), min_size=1, max_size=80)


def curve_of(rights: list[bool]) -> CoverageCurve:
    """Return the curve of texts whose scores fall from one to the next."""
    return coverage_curve(np.linspace(0.99, 0.3, len(rights)), np.array(rights, dtype=bool))


@given(
    st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.floats(0.001, 0.2)
)
def test_the_bound_is_that_of_clopper_and_pearson(counts, risk):
    """As statsmodels' exact interval, of which it is one side."""
    right, count = counts
    expected, _ = proportion_confint(right, count, alpha=2 * risk, method="beta")
    assert lower_bound(right, count, risk) == pytest.approx(expected, abs=1e-9)


@given(texts=TEXTS, target=TARGETS)
def test_the_chances_are_binomial(texts, target):
    """That of at most so many mistakes among the texts of each threshold, as scipy's distribution has it."""
    curve = coverage_curve(np.array([s for s, _ in texts]), np.array([r for _, r in texts]))
    expected = binom.cdf(curve.accepted - curve.right, curve.accepted, 1 - target)
    assert chances(curve, target) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_chances_stay_exact_over_many_texts(share):
    """The error that adds up from text to text is far below any risk."""
    rights = np.random.Generator(np.random.Philox(1)).random(200_000) < share
    curve = curve_of(rights.tolist())
    expected = binom.cdf(curve.accepted - curve.right, curve.accepted, 1 - share)
    assert np.abs(chances(curve, share) - expected).max() < 1e-8


@given(texts=TEXTS, target=TARGETS)
def test_what_is_given_passes_the_exact_test(texts, target):
    """The threshold's texts show the target at no more than the whole risk, and its bound is not below the target."""
    curve = coverage_curve(np.array([s for s, _ in texts]), np.array([r for _, r in texts]))
    found = guarantee(curve, target)
    if found.threshold is None:
        assert (found.bound, found.answered) == (0.0, 0)
    else:
        assert curve.at(found.threshold) == (found.answered, found.right)
        assert binom.sf(found.right - 1, found.answered, target) <= 1 - CONFIDENCE + 1e-12
        assert target - 1e-9 <= found.bound <= found.right / found.answered


@pytest.mark.parametrize(("target", "least"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_the_fewest_texts_suffice_if_all_are_right(target, least):
    """One fewer do not, and it is said how many it takes; one mistake among them is too many."""
    assert least_texts(target) == least
    assert guarantee(curve_of([True] * least), target).threshold == 0.0
    too_few = guarantee(curve_of([True] * (least - 1)), target)
    assert (too_few.threshold, too_few.needed) == (None, least)
    assert f"at least {least:,} validation texts even if all answers were right" in too_few.warning
    assert f"there are {least - 1:,}. Every text gets a label." in too_few.warning
    assert guarantee(curve_of([True] * (least - 1) + [False]), target).threshold is None


def test_a_sequence_that_failed_begins_anew():
    """An early mistake ends the first sequence; with more texts the next one passes, at half the risk."""
    rights = [False] + [True] * 99
    assert guarantee(curve_of(rights[:59]), 0.9).threshold is None
    found = guarantee(curve_of(rights), 0.9)
    assert (found.threshold, found.answered, found.right) == (0.0, 100, 99)
    assert found.risk == pytest.approx((1 - CONFIDENCE) / 2)


def test_the_whole_risk_is_taken_where_nothing_failed():
    """Without a mistake each start adds its share, so that many texts lose nothing by their number."""
    assert guarantee(curve_of([True] * 1000), 0.9).risk == pytest.approx(1 - CONFIDENCE)


def test_no_number_of_texts_shows_perfection():
    """A target of 1 is told of, and so is a target that the scores do not reach anywhere."""
    assert shortage_of_texts(1.0, 10**6) == "no number of validation texts shows that all labels are right"
    assert guarantee(curve_of([True] * 100), 1.0).needed is None
    hopeless = guarantee(curve_of([True, False] * 100), 0.9)
    assert hopeless.needed is None
    assert hopeless.wish == "not reached"
    assert "at no threshold are the labels of the 200 validation texts right that often" in hopeless.warning


def test_the_need_is_estimated_from_the_accuracy():
    """The better the texts at the top, the fewer; twice as many like them suffice."""
    needs = []
    for wrong in (8, 7, 6):
        rights = ([True] * (100 // wrong - 1) + [False]) * wrong
        found = guarantee(curve_of(rights), 0.9)
        assert found.threshold is None
        assert found.needed is not None
        assert found.needed > len(rights)
        assert f"would need about {found.needed:,} validation texts at this accuracy" in found.warning
        assert guarantee(curve_of(rights * (2 * found.needed // len(rights))), 0.9).threshold is not None
        needs.append(found.needed)
    assert all(more > fewer for more, fewer in itertools.pairwise(needs))


def test_the_sentence_has_coverage_accuracy_interval_and_bound():
    """Worked out with statsmodels: 198 of 200, of which all get a label."""
    found = guarantee(curve_of(([True] * 99 + [False]) * 2), 0.95)
    assert found.warning == ""
    bound, _ = proportion_confint(198, 200, alpha=2 * found.risk, method="beta")
    low, high = proportion_confint(198, 200, method="wilson")
    assert found.sentence == (
        "target_accuracy=0.95 gives the threshold 0, which 200 of 200 validation texts reach (100.0%), 198 of them"
        f" right: 99.00% (95% interval {low:.2%} to {high:.2%}, lower bound {bound:.2%}). On new texts of the same kind"
        " at least 95% of the labels are right, with 95% confidence."
    )
    assert found.facts == {
        "target_accuracy": 0.95, "confidence": 0.95, "threshold": 0.0, "validation_texts": 200, "answered": 200,
        "right": 198, "accuracy_low": pytest.approx(low), "accuracy_high": pytest.approx(high),
        "accuracy_bound": pytest.approx(bound), "needed_texts": None,
    }  # fmt: skip


def test_without_a_threshold_nothing_is_claimed():
    """Null in training.json, and a bound of 0 in evaluation.json."""
    found = guarantee(curve_of([True] * 10), 0.99)
    assert {name for name, value in found.facts.items() if value is None} == {
        "threshold", "answered", "right", "accuracy_low", "accuracy_high", "accuracy_bound",
    }  # fmt: skip
    assert found.metrics == {"target_accuracy": 0.99, "target_confidence": 0.95, "accuracy_bound": 0.0}


def test_no_text_gives_no_threshold():
    """Nothing is divided by nothing."""
    found = guarantee(coverage_curve(np.zeros(0), np.zeros(0, dtype=bool)), 0.9)
    assert (found.threshold, found.texts, found.wish) == (None, 0, "needs at least 29 texts")
