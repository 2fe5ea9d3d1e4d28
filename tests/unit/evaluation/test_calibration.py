"""Calibration, against scikit-learn and by what defines the temperature."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn import metrics
from sklearn.calibration import calibration_curve

from bert_classifier.evaluation import calibration
from bert_classifier.evaluation.calibration import (
    BINS,
    COLDEST,
    HOTTEST,
    LEAST_TEXTS,
    PRIOR_DEVIATION,
    PRIOR_MEAN,
    Temperature,
    calibration_scores,
    fit_temperature,
    fitted_temperature,
    highest_scores,
    reliability,
    softmax,
)
from bert_classifier.evaluation.metrics import Evaluation, cross_entropies
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


def test_without_texts_scores_are_left_as_they_are():
    """An empty channel keeps temperature 1 and says why."""
    found = fit_temperature(evaluation_of([], classes=2))
    assert found.value == 1.0
    assert "no texts" in found.reason


@pytest.mark.parametrize(
    "result",
    [
        Evaluation(1e-4 * drawn(500, 3, 1.0).logits, drawn(500, 3, 1.0).targets),
        evaluation_of([(0, 0), (1, 1)] * 50, classes=2, margin=0.1),
        evaluation_of([(0, 0), (1, 1)] * 10, classes=2, margin=0.15),
    ],
)
def test_logits_that_hardly_differ_are_left_as_they_are(result):
    """They are no matter of calibration, few or many, all right or not."""
    found = fit_temperature(result)
    assert found.value == 1.0
    assert "below 0.1 would fit" in found.reason


@pytest.mark.parametrize(
    "result",
    [
        Evaluation(1e4 * drawn(500, 3, 1.0).logits, drawn(500, 3, 1.0).targets),
        evaluation_of([(0, 1), (1, 0)] * 50, classes=2, margin=30.0),
    ],
)
def test_scores_far_above_the_accuracy_are_lowered_as_far_as_possible(result):
    """A temperature of 10 is too low for them, and far better than none."""
    found = fit_temperature(result)
    assert found == Temperature(HOTTEST)
    assert calibration_scores(result, HOTTEST)["nll"] < 0.2 * calibration_scores(result, 1.0)["nll"]


def test_of_few_texts_a_prior_decides():
    """The temperature is where a fine search finds it, between the prior's and that of the texts."""
    for count in (1, 2, 6, 12, LEAST_TEXTS - 1):
        result = drawn(count, 3, 4.0)

        def cost(log_t, result=result):
            loss = result.count * calibration_scores(result, np.exp(log_t))["nll"]
            return loss + (log_t - PRIOR_MEAN) ** 2 / (2 * PRIOR_DEVIATION**2)

        best = optimize.minimize_scalar(cost, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
        assert np.log(fit_temperature(result).value) == pytest.approx(best.x, abs=1e-3)


def test_a_prior_needs_no_more_steps_than_digits():
    """Bisection ends where rounding hides the rest; the result is that of a hundred steps."""
    result = drawn(25, 4, 3.0)
    slopes: list[float] = []

    def slope_at(inverse: float) -> tuple[float, float]:
        slopes.append(inverse)
        return calibration._slope(result, inverse)

    found = fitted_temperature(slope_at, result.count, are_all_right=False)
    assert len(slopes) < 40
    low, high = math.log(calibration.COLDEST), math.log(calibration.HOTTEST)
    for _ in range(100):
        middle = (low + high) / 2
        is_below = calibration._posterior_slope(slope_at, result.count, middle) < 0
        low, high = (middle, high) if is_below else (low, middle)
    assert found.value == float(f"{math.exp(low):.6g}")


def test_a_few_texts_that_are_all_right_do_not_make_scores_certain():
    """By the texts alone the temperature would be the coldest; with the prior, the scores become more cautious."""
    result = evaluation_of([(0, 0), (1, 1)] * 3, classes=2, margin=6.0)
    assert 1 < fit_temperature(result).value < np.exp(PRIOR_MEAN)


def test_texts_that_are_all_right_sharpen_the_scores_little_by_little():
    """The prior fades with their number, and nothing jumps where it no longer stands beside other texts."""
    counts = [1, 10, LEAST_TEXTS - 1, LEAST_TEXTS, LEAST_TEXTS + 1, 300, 3000]
    results = [evaluation_of([(0, 0)] * count, classes=2, margin=6.0) for count in counts]
    found = [fit_temperature(result).value for result in results]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert found[2] / found[4] == pytest.approx(1, abs=0.03)


def test_few_wrong_texts_lower_the_scores():
    """Of six, four wrong ones with high scores are reason enough, more than the prior alone."""
    result = evaluation_of([(0, 1), (1, 0)] * 2 + [(0, 0), (1, 1)], classes=2, margin=6.0)
    assert fit_temperature(result).value > 2 * np.exp(PRIOR_MEAN)


@pytest.mark.parametrize("seed", range(20))
def test_bisection_ends_where_all_that_is_left_rounds_alike(seed, monkeypatch):
    """Each round reads all logits; the temperature is that of bisection down to the last bit."""
    inverse, curvature = np.random.default_rng(seed).uniform([0.2, 0.01], [4.0, 1.0]).tolist()
    asked: list[float] = []

    def slope_at(at: float) -> tuple[float, float]:
        asked.append(at)
        return curvature * (at - inverse), curvature

    found = fitted_temperature(slope_at, 10, are_all_right=False)
    assert len(asked) < 50
    monkeypatch.setattr(calibration, "_DIGITS", 17)  # no two numbers round alike, so that it never ends early
    last = fitted_temperature(slope_at, 10, are_all_right=False).value
    assert found.value == float(f"{last:.6g}")


def test_softmax_takes_any_finite_logits():
    """Large ones do not overflow, and rows add up to 1."""
    shares = softmax(np.array([[1e4, 0, -1e4], [3e38, 3e38, 0]], dtype=np.float32), 0.1)
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    assert shares[1].tolist() == [0.5, 0.5, 0.0]


def test_scores_of_many_texts_take_hardly_more_memory_than_their_logits():
    """One array of float64 for all of them would be twice as large as these, and several were held."""
    logits = np.random.default_rng(0).standard_normal((30_000, 500), dtype=np.float32)
    result = Evaluation(logits, np.zeros(len(logits), dtype=np.int64))
    tracemalloc.start()
    highest = highest_scores(result.logits, 2.0)
    calibration_scores(result, 2.0)
    cross_entropies(result.logits, result.targets)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < logits.nbytes
    assert (highest == softmax(result.logits, 2.0).max(axis=1)).all()


@pytest.mark.parametrize("shape", [(40_000, 30), (3_000, 701), (2, 3), (0, 4)])
def test_parts_give_the_bits_of_the_whole(shape):
    """Numbers in training.json and reports stay those of the versions that computed all texts at once."""
    rng = np.random.default_rng(0)
    logits = (4 * rng.standard_normal(shape)).astype(np.float32)
    targets = rng.integers(0, shape[1], shape[0])
    scaled = logits.astype(np.float64) / 1.7
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    np.testing.assert_array_equal(softmax(logits, 1.7), powers / powers.sum(axis=1, keepdims=True))
    log_sums = scaled.max(axis=1) + np.log(powers.sum(axis=1))
    expected = log_sums - scaled[np.arange(shape[0]), targets]
    np.testing.assert_array_equal(cross_entropies(logits, targets, 1.7), expected)
