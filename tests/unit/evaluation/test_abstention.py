"""What abstaining costs and gains, against brute force over all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.evaluation.abstention import coverage_curve

# Few distinct scores, so that many are equal.
TEXTS = st.lists(st.tuples(st.integers(0, 12).map(lambda n: n / 16), st.booleans()), min_size=1, max_size=40)


def curve_of(texts: list[tuple[float, bool]]):
    """Return the coverage curve of (score, is right) pairs."""
    return coverage_curve(np.array([s for s, _ in texts]), np.array([r for _, r in texts]))


@given(texts=TEXTS, threshold=st.integers(0, 32).map(lambda n: n / 32))
def test_the_curve_counts_what_reaches_a_score(texts, threshold):
    """Texts of equal scores are answered together or not at all."""
    reached = [right for score, right in texts if score >= threshold]
    assert curve_of(texts).at(threshold) == (len(reached), sum(reached))


@given(texts=TEXTS, place=st.integers(0, 39))
def test_a_threshold_is_reached_as_far_as_asked(texts, place):
    """By the texts of the scores up to its index, and by no others."""
    curve = curve_of(texts)
    last = place % len(curve.thresholds)
    assert curve.at(curve.threshold_after(last)) == (curve.accepted[last], curve.right[last])


def test_the_threshold_lies_between_two_scores():
    """Half-way, so that rounding in the last bits moves no text across; 0 when nothing needs to be left out."""
    assert curve_of([(0.9, True), (0.8, True), (0.5, False)]).threshold_after(1) == pytest.approx(0.65)
    assert curve_of([(0.9, True), (0.5, True)]).threshold_after(1) == 0.0
    close = 0.99999990, 0.99999991
    assert curve_of([(close[0], False), (close[1], True)]).threshold_after(0) == close[1]


def test_the_curve_ends_at_the_accuracy():
    """Answering everything covers all texts and is right as often as the model is."""
    curve = curve_of([(0.9, True), (0.8, False), (0.8, True), (0.3, False)])
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy == pytest.approx([1.0, 2 / 3, 0.5])


def test_no_text_has_no_curve():
    """Nothing is divided by nothing."""
    curve = coverage_curve(np.zeros(0), np.zeros(0, dtype=bool))
    assert (curve.at(0.5), curve.coverage.tolist()) == ((0, 0), [])
