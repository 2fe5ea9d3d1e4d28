"""Intervals of F1 in simulation: they hold the truth in about 95 of 100 draws, and equal models seldom differ."""

import numpy as np
import pytest

from bert_classifier.evaluation.multi_label.intervals import f1_difference, f1_interval
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions

RUNS = 400
TEXTS = 100_000  # that stand for all


def all_texts(seed: int, sharpness: float) -> LabelPredictions:
    """Return answers to very many texts of 6 labels; some texts are hard for all labels."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((TEXTS, 6)) < [0.02, 0.1, 0.2, 0.3, 0.3, 0.6]).astype(np.uint8)
    hardness = rng.choice([0.3, 2.0], (TEXTS, 1))
    noise = rng.standard_normal((TEXTS, 6)) * hardness / sharpness
    return LabelPredictions(noise + targets > 0.5, targets)


def part_of(answers: LabelPredictions, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the intervals need of some texts."""
    return LabelPredictions(answers.predicted[chosen], answers.targets[chosen]).by_text


@pytest.mark.parametrize("texts", [30, 100, 1000])
@pytest.mark.parametrize("sharpness", [0.8, 2.0, 4.0])
def test_the_interval_holds_the_truth(texts, sharpness):
    """In 92 % of the draws at least: few texts cost a little, and the noise of so many draws more."""
    answers = all_texts(1, sharpness)
    rng, truth = np.random.default_rng(2), answers.micro_f1
    intervals = [f1_interval(*part_of(answers, rng.integers(0, TEXTS, texts))) for _ in range(RUNS)]
    assert sum(low <= truth <= high for low, high in intervals) >= 0.92 * RUNS


def test_all_right_is_no_certainty():
    """Ten texts that are all right leave much open, as for one label per text; so do ten that are all wrong."""
    right, total = np.full(10, 4), np.full(10, 4)
    low, high = f1_interval(right, total)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high == 1.0
    assert f1_interval(right * 0, total) == (0.0, pytest.approx(1 - low))


def test_equal_models_differ_as_seldom_as_promised():
    """Of two models with the same kind of mistakes, the test finds a difference in about 5 % of the draws."""
    first = all_texts(3, 2.0)
    noise = np.random.default_rng(4).permutation(TEXTS)
    second = LabelPredictions(
        (first.predicted ^ first.are_actual)[noise] ^ first.are_actual, first.targets
    )  # the same mistakes, at other texts: F1 differs a little, so it is shifted by the truth
    difference, _, _ = f1_difference(first.by_text, second.by_text)
    rng, found = np.random.default_rng(5), 0
    for _ in range(RUNS):
        chosen = rng.integers(0, TEXTS, 200)
        _, (low, high), _ = f1_difference(part_of(first, chosen), part_of(second, chosen))
        found += not low <= difference <= high
    assert 0.02 * RUNS <= found <= 0.09 * RUNS


def test_a_better_model_is_found_and_an_equal_one_is_not():
    """The difference is that of the scores, and its p-value that of its interval."""
    worse, better = all_texts(6, 1.0), all_texts(6, 3.0)
    chosen = np.arange(300)
    parts = part_of(worse, chosen), part_of(better, chosen)
    difference, (low, high), p_value = f1_difference(*parts)
    scores = [LabelPredictions(of.predicted[:300], of.targets[:300]).micro_f1 for of in (worse, better)]
    assert difference == pytest.approx(scores[1] - scores[0])
    assert 0 < low < difference < high
    assert p_value < 1e-6
    assert f1_difference(parts[0], parts[0]) == (0.0, (0.0, 0.0), 1.0)
