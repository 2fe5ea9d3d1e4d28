"""What thresholds come to: exact intervals, bounds on new texts, and targets with and without a guarantee."""

import numpy as np
import pytest
from scipy.stats import binomtest

from bert_classifier.evaluation.abstention import CoverageCurve, coverage_curve
from bert_classifier.evaluation.guarantee import guarantee
from bert_classifier.evaluation.thresholds import (
    FIXED,
    TARGETS,
    Threshold,
    exact_interval,
    fixed_thresholds,
    target_thresholds,
)


def simulated(texts: int, seed: int = 0, lowest: float = 0.3) -> CoverageCurve:
    """Return the curve of texts whose scores are calibrated."""
    draw = np.random.default_rng(seed)
    scores = draw.uniform(lowest, 1, texts) ** 0.3
    return coverage_curve(scores, draw.random(texts) < scores)


def bound_of(row: Threshold) -> float:
    """Return the bound of a row that has one."""
    assert row.bound is not None
    return row.bound


@pytest.mark.parametrize(
    ("right", "count"),
    [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (190, 200), (4999, 5000), (60_000, 70_000)],
)
def test_the_interval_is_that_of_clopper_and_pearson(right, count):
    """As scipy has it."""
    expected = binomtest(right, count).proportion_ci(method="exact")
    assert exact_interval(right, count) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_without_texts_anything_is_possible():
    """No text reaches the threshold."""
    assert exact_interval(0, 0) == (0.0, 1.0)


def test_fixed_thresholds_by_hand():
    """Those that all texts reach, or none, say nothing and are left out."""
    curve = coverage_curve(np.array([0.65, 0.75, 0.75, 0.85]), np.array([False, True, False, True]))
    rows = fixed_thresholds(curve)
    assert [(row.value, row.texts, row.answered, row.right) for row in rows] == [
        (0.7, 4, 3, 2),
        (0.8, 4, 1, 1),
    ]
    assert [row.coverage for row in rows] == [0.75, 0.25]
    assert rows[0].accuracy == pytest.approx(2 / 3)
    assert rows[1].bound == pytest.approx(0.05)  # one of one right: p = 0.05 would show that in 5 % of cases
    assert not any(row.is_guaranteed for row in rows)


def test_the_bound_of_a_fixed_threshold_is_one_sided():
    """As scipy has it for the alternative that more are right."""
    for row in fixed_thresholds(simulated(2000)):
        expected = binomtest(row.right, row.answered, alternative="greater").proportion_ci(0.95, "exact").low
        assert row.bound == pytest.approx(expected, abs=1e-7)
        assert row.interval is not None
        assert row.interval[0] < bound_of(row) < row.accuracy


def test_the_bound_of_a_fixed_threshold_holds_on_new_texts():
    """Over 400 draws, it fails for at most about 5 %: the true accuracy lies below it."""
    truth = simulated(400_000, seed=1)
    answered, right = truth.at(0.9)
    failures = 0
    for seed in range(2, 402):
        (row,) = (row for row in fixed_thresholds(simulated(150, seed)) if row.value == 0.9)
        failures += bound_of(row) > right / answered
    assert 0 < failures <= 32  # 20 expected, and 32 or more in 1 of 200 cases


def test_targets_are_those_of_the_guarantee():
    """Where target_accuracy would give a threshold, the row is that threshold, with its bound."""
    curve = simulated(5000)
    rows = target_thresholds(curve)
    assert [row.target for row in rows] == list(TARGETS)
    assert any(row.is_guaranteed for row in rows)
    for row, target in zip(rows, TARGETS, strict=True):
        found = guarantee(curve, target)
        if row.is_guaranteed:
            assert (row.value, row.answered, row.right) == (found.threshold, found.answered, found.right)
            assert target <= bound_of(row) <= row.accuracy


def test_a_target_that_only_these_texts_reach_is_no_promise():
    """The lowest threshold at which they are right that often, without a bound and with what a guarantee would need."""
    curve = simulated(60, lowest=0.01)
    for row, target in zip(target_thresholds(curve), TARGETS, strict=True):
        assert not row.is_guaranteed
        assert row.bound is None
        assert row.interval is None
        assert row.guarantee is not None
        assert row.guarantee.needed is None or row.guarantee.needed > 60
        if row.value is not None:
            assert row.accuracy >= target
            assert curve.at(row.value) == (row.answered, row.right)
            below = [(a, r) for a, r in zip(curve.accepted, curve.right, strict=True) if a > row.answered]
            assert all(right / accepted < target for accepted, right in below)


def test_a_model_that_is_always_wrong_reaches_no_target():
    """There is no threshold to show."""
    for row in target_thresholds(coverage_curve(np.linspace(0.2, 1, 50), np.zeros(50, dtype=bool))):
        assert (row.value, row.answered, row.coverage, row.accuracy) == (None, 0, 0.0, 0.0)


def test_of_no_text_there_is_nothing_to_say():
    """An empty channel has no fixed threshold, and no target is reached."""
    empty = coverage_curve(np.zeros(0), np.zeros(0, dtype=bool))
    assert fixed_thresholds(empty) == []
    assert {row.value for row in target_thresholds(empty)} == {None}
    assert sorted(FIXED) == list(FIXED)
