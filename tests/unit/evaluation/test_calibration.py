"""Calibration, against scikit-learn and by what defines the temperature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from bert_classifier.evaluation.calibration import (
    BINS,
    LEAST_TEXTS,
    calibration_scores,
    fit_temperature,
    reliability,
    softmax,
)
from bert_classifier.evaluation.metrics import Evaluation
from support.evaluations import evaluation_of


def drawn(count: int, classes: int, sharpness: float, seed: int = 0) -> Evaluation:
    """Return texts whose classes are drawn by softmax(z), with the logits sharpness·z: T = sharpness is true."""
    rng = np.random.default_rng(seed)
    honest = 2 * rng.standard_normal((count, classes))
    draws = rng.random((count, 1))
    targets = (softmax(honest, 1.0).cumsum(axis=1) < draws).sum(axis=1)
    return Evaluation((sharpness * honest).astype(np.float32), targets.clip(max=classes - 1))


def test_bins_are_closed_above():
    """As in the paper: a score of exactly 2/15 belongs to the second bin, one of 1 to the last, 0 to the first."""
    bins = reliability(np.array([0.0, 2 / 16, 3 / 16, 1.0]), np.ones(4, dtype=bool), bins=16)
    assert np.flatnonzero(bins.counts).tolist() == [0, 1, 2, 15]


@given(count=st.integers(1, 200), seed=st.integers(0, 99))
def test_reliability_is_scikit_learns(count, seed):
    """Accuracy and mean score of each bin that holds a text, and the error that follows from them."""
    rng = np.random.default_rng(seed)
    scores, are_right = rng.random(count), rng.random(count) < 0.5
    bins = reliability(scores, are_right)
    accuracy, confidence = calibration_curve(are_right, scores, n_bins=BINS)
    has_any = bins.counts > 0
    assert bins.accuracy[has_any] == pytest.approx(accuracy)
    assert bins.confidence[has_any] == pytest.approx(confidence)
    weights = np.histogram(scores, np.linspace(0, 1, BINS + 1))[0][has_any] / count
    assert bins.error == pytest.approx((weights * np.abs(accuracy - confidence)).sum())


@given(
    count=st.integers(1, 50),
    classes=st.integers(2, 6),
    seed=st.integers(0, 99),
    temperature=st.floats(1.5, 5),  # scikit-learn clips scores below 2e-16
)
def test_likelihood_and_brier_score_are_scikit_learns(count, classes, seed, temperature):
    """Both at any temperature, over all classes, though some may not occur."""
    result = drawn(count, classes, 2.0, seed)
    scores, labels = softmax(result.logits, temperature), list(range(classes))
    found = calibration_scores(result, temperature)
    assert found["nll"] == pytest.approx(metrics.log_loss(result.targets, scores, labels=labels))
    brier = metrics.brier_score_loss(result.targets, scores, labels=labels, scale_by_half=False)
    assert found["brier"] == pytest.approx(brier)


@pytest.mark.parametrize("classes", [2, 5, 40])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_is_where_the_likelihood_is_highest(classes, sharpness):
    """No temperature of a fine grid does better, and the true one is found to within the sample's error."""
    result = drawn(3000, classes, sharpness)
    found = fit_temperature(result)
    assert not found.reason
    best = calibration_scores(result, found.value)["nll"]
    for factor in (0.5, 0.9, 0.99, 0.999, 1.001, 1.01, 1.1, 2):
        assert calibration_scores(result, found.value * factor)["nll"] >= best - 1e-12
    assert found.value == pytest.approx(sharpness, rel=0.15)


def test_calibration_lowers_the_error():
    """Scores four times too sharp are off by a lot, and by little once divided."""
    result = drawn(4000, 5, 4.0)
    fitted = fit_temperature(result).value
    assert calibration_scores(result, 1.0)["ece"] > 0.1
    assert calibration_scores(result, fitted)["ece"] < 0.02


def test_the_temperature_is_the_same_again_and_whatever_the_last_bits():
    """A resumed run, or one whose logits differ in rounding, carries the same number."""
    result = drawn(500, 4, 2.0)
    noise = np.random.default_rng(1).standard_normal(result.logits.shape).astype(np.float32)
    nearly = Evaluation(result.logits + 1e-7 * noise, result.targets)
    assert fit_temperature(result) == fit_temperature(result) == fit_temperature(nearly)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (drawn(LEAST_TEXTS - 1, 3, 2.0), "too few"),
        (evaluation_of([(0, 0), (1, 1)] * 50, classes=2), "all 100 texts are right"),
        (evaluation_of([(0, 1), (1, 0)] * 50, classes=2), "nothing about the classes"),
        (evaluation_of([(0, 0), (1, 0)] * 50, classes=2, margin=0.0), "nothing about the classes"),
        (evaluation_of([], classes=2), "too few"),
    ],
)
def test_what_cannot_be_calibrated_is_left_as_it_is(result, reason):
    """Tiny, separable, useless and broken cases keep temperature 1 and say why."""
    found = fit_temperature(result)
    assert found.value == 1.0
    assert reason in found.reason


@pytest.mark.parametrize(("scale", "reason"), [(1e-4, "below 0.1 would fit"), (1e4, "above 10 would fit")])
def test_a_temperature_beyond_its_bounds_is_not_used(scale, reason):
    """Logits a thousand times too large or too small are no matter of calibration, and neither are they all right."""
    result = drawn(500, 3, 1.0)
    assert 0.4 < result.accuracy < 0.9
    found = fit_temperature(Evaluation(scale * result.logits, result.targets))
    assert found.value == 1.0
    assert reason in found.reason


def test_softmax_takes_any_finite_logits():
    """Large ones do not overflow, and rows add up to 1."""
    shares = softmax(np.array([[1e4, 0, -1e4], [3e38, 3e38, 0]], dtype=np.float32), 0.1)
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    assert shares[1].tolist() == [0.5, 0.5, 0.0]
