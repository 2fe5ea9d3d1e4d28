"""The temperature of several labels per text: found where it is known, with a prior where texts say too little."""

import tracemalloc

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn import metrics

from bert_classifier.evaluation.calibration import COLDEST, HOTTEST, reliability
from bert_classifier.evaluation.multi_label.calibration import (
    brier_score,
    class_errors,
    fit_label_temperature,
    sigmoid,
)
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation, mean_loss


def calibrated(count: int, factor: float, seed: int = 0) -> MultiLabelEvaluation:
    """Return logits that are right about their labels, times a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (count, 5))
    targets = (rng.random(logits.shape) < sigmoid(logits, 1.0)).astype(np.uint8)
    return MultiLabelEvaluation((factor * logits).astype(np.float32), targets)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor(factor):
    """And its loss is the lowest, as scipy finds it."""
    result = calibrated(4000, factor)
    found = fit_label_temperature(result)
    assert found.value == pytest.approx(factor, rel=0.05)
    best = minimize_scalar(
        lambda t: mean_loss(result.logits, result.targets, t), bounds=(COLDEST, HOTTEST), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    assert found.value == pytest.approx(best.x, rel=1e-4)
    assert class_errors(result.logits, result.targets, found.value).max() < 0.03


def test_few_texts_and_texts_all_right_have_a_prior():
    """Overconfident scores of ten texts are cooled somewhat; scores that are all right do not become certain."""
    few = fit_label_temperature(calibrated(10, 3.0))
    assert 1.0 < few.value < 6.0
    right = calibrated(500, 1.0)
    right = MultiLabelEvaluation(right.logits, (right.logits >= 0).astype(np.uint8))
    assert fit_label_temperature(right).value > COLDEST
    nothing = fit_label_temperature(
        MultiLabelEvaluation(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    )
    assert (nothing.value, nothing.reason) == (1.0, "there are no texts to fit it")


def test_the_brier_score_is_scikit_learns():
    """The mean over texts and labels."""
    result = calibrated(200, 2.0)
    chances = sigmoid(result.logits, 1.0)
    expected = metrics.brier_score_loss(result.targets.ravel(), chances.ravel())
    assert brier_score(result.logits, result.targets, 1.0) == pytest.approx(expected)


def test_huge_logits_do_not_overflow():
    """The sigmoid of any number is a probability."""
    assert sigmoid(np.array([[-1e30, -800.0, 0.0, 800.0, 1e30]]), 0.1).tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]


def test_what_is_computed_in_parts_is_what_is_computed_at_once():
    """Loss and Brier score of more texts than are converted at a time, and errors class by class."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (1500, 1000)).astype(np.float32)
    targets = (rng.random(logits.shape) < 0.3).astype(np.uint8)
    chances = sigmoid(logits, 2.0)
    likelihoods = np.where(targets == 1, chances, 1 - chances)
    assert mean_loss(logits, targets, 2.0) == pytest.approx(-np.log(likelihoods).mean())
    assert brier_score(logits, targets, 2.0) == pytest.approx(((chances - targets) ** 2).mean())
    first = reliability(chances[:, 0], targets[:, 0] == 1)
    assert class_errors(logits[:, :2], targets[:, :2], 2.0)[0] == first.error


def test_scores_of_many_texts_take_hardly_more_memory_than_their_logits():
    """One array of float64 for all of them would be twice as large as these, and several were held."""
    logits = np.zeros((20_000, 500), dtype=np.float32)
    targets = np.zeros(logits.shape, dtype=np.uint8)
    tracemalloc.start()
    for score in (mean_loss, brier_score, class_errors):
        score(logits, targets, 2.0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.5 * logits.nbytes
