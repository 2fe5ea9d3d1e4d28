"""Thresholds per label: the best F1 on validation where there are texts enough, and a guard where there are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from bert_classifier.evaluation.abstention import coverage_curve
from bert_classifier.evaluation.multi_label import thresholds
from bert_classifier.evaluation.multi_label.calibration import LabelScores, sigmoid
from bert_classifier.evaluation.multi_label.thresholds import (
    LEAST_POSITIVES,
    Origin,
    best_f1_threshold,
    best_thresholds,
    cross_fitted,
    fixed_thresholds,
)
from support.label_sets import drawn_labels


def f1_of(targets, predicted):
    """Return F1 over all pairs; scikit-learn's takes a millisecond."""
    return 2 * (predicted & (targets == 1)).sum() / max(1, predicted.sum() + targets.sum())


@given(seed=st.integers(0, 199), decimals=st.integers(0, 3))
def test_no_threshold_has_a_better_f1(seed, decimals):
    """For each label with texts enough, compared with F1 at every score that occurs."""
    result = drawn_labels(120, 5, seed, decimals=decimals)
    scores = sigmoid(result.logits, 1.0)
    chosen = best_thresholds(scores, result.targets)
    for index in [index for index, origin in enumerate(chosen.origins) if origin is Origin.OWN]:
        column, actual = scores[:, index], result.targets[:, index]
        reached = metrics.f1_score(actual, column >= chosen.values[index])
        tried = [f1_of(actual, column >= score) for score in np.unique(column)]
        is_common = 2 * actual.sum() >= len(actual)
        assert reached == pytest.approx(max(tried if is_common else tried[1:]))


def test_labels_of_few_texts_share_the_threshold_that_is_best_for_all():
    """With one text less than enough, with or without the label; the shared one is best over all pairs."""
    rng = np.random.default_rng(0)
    targets = np.zeros((200, 4), dtype=np.uint8)
    for index, count in enumerate((LEAST_POSITIVES, LEAST_POSITIVES - 1, 200 - LEAST_POSITIVES + 1, 0)):
        targets[:count, index] = 1
    scores = sigmoid(rng.standard_normal(targets.shape) + 2 * targets, 1.0)
    chosen = best_thresholds(scores, targets)
    assert chosen.origins == (Origin.OWN, Origin.COMMON, Origin.COMMON, Origin.COMMON)
    assert chosen.values[1] == chosen.values[2] == chosen.values[3]
    assert "3 labels with fewer than 20 validation texts with or without them at" in chosen.sentence
    pooled = [f1_of(targets, scores >= score) for score in np.unique(scores)]
    assert metrics.f1_score(targets.ravel(), scores.ravel() >= chosen.values[1]) == pytest.approx(max(pooled))


def test_scores_that_say_nothing_answer_no_rare_label_everywhere():
    """Though that has the best F1; a label that most texts have may be answered for all."""
    targets = np.zeros((200, 2), dtype=np.uint8)
    targets[:40, 0], targets[:180, 1] = 1, 1
    chosen = best_thresholds(np.full((200, 2), 0.3), targets)
    assert chosen.values.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (40, 3)])
def test_without_a_label_anywhere_it_is_one_half(shape):
    """Nothing was seen that could choose."""
    chosen = best_thresholds(np.full(shape, 0.2), np.zeros(shape, dtype=np.uint8))
    assert chosen.values.tolist() == [0.5] * 3


def test_cross_fitted_answers_do_not_flatter():
    """Where scores say nothing, thresholds give the texts that chose them a better F1 than new ones."""
    rng = np.random.default_rng(1)
    own: list[float] = []
    crossed: list[float] = []
    new: list[float] = []
    for _ in range(40):
        scores = rng.random((150, 6))
        targets, fresh = ((rng.random((150, 6)) < 0.2).astype(np.uint8) for _ in range(2))
        values = best_thresholds(scores, targets).values
        for found, predicted, of in (
            (own, scores >= values, targets),
            (crossed, cross_fitted(scores, targets), targets),
            (new, scores >= values, fresh),
        ):
            found.append(f1_of(of, predicted))
    assert np.mean(own) > np.mean(new) + 0.01
    assert abs(np.mean(crossed) - np.mean(new)) < 0.01


def test_a_fixed_threshold_is_that_of_every_label():
    """Whatever the texts."""
    assert fixed_thresholds(0.3, 3).values.tolist() == [0.3, 0.3, 0.3]
    assert set(fixed_thresholds(0.3, 3).origins) == {Origin.FIXED}


def test_the_shared_threshold_is_sought_only_where_a_label_needs_it(monkeypatch):
    """It sorts the scores of all labels together."""
    sorted_at_once: list[int] = []

    def counted(scores, are_right):
        sorted_at_once.append(len(scores))
        return coverage_curve(scores, are_right)

    monkeypatch.setattr(thresholds, "coverage_curve", counted)
    scores = np.random.default_rng(0).random((100, 3))
    best_thresholds(scores, np.tile([[1], [0]], (50, 3)).astype(np.uint8))
    assert sorted_at_once == [100] * 3


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(0, 1)),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_the_shared_threshold_is_that_of_all_scores_sorted(targets, distinct, seed):
    """Counting from the scores of texts with a label gives the same bits, with ties, without labels, or all."""
    logits = np.random.default_rng(seed).integers(-distinct, distinct, targets.shape).astype(np.float32)
    scores = sigmoid(logits, 1.3)
    expected = best_f1_threshold(scores.ravel(), targets.ravel() == 1)
    chosen = best_thresholds(LabelScores(logits, 1.3), targets)
    assert {*chosen.origins} == {Origin.COMMON}
    assert {*chosen.values.tolist()} == {expected}


def test_scores_computed_where_needed_are_those_of_all_at_once():
    """By column, by text and beside thresholds: the same bits, and so the same thresholds and answers."""
    rng = np.random.default_rng(4)
    targets = (rng.random((3000, 700)) < rng.choice([0.003, 0.1], 700)).astype(np.uint8)
    logits = (rng.standard_normal(targets.shape) + 2 * targets).astype(np.float32)
    lazy, dense = LabelScores(logits, 1.7), sigmoid(logits, 1.7)
    assert (lazy[:, 3] == dense[:, 3]).all()
    assert (lazy[5:9] == dense[5:9]).all()
    chosen = best_thresholds(lazy, targets)
    assert {*chosen.origins} == {Origin.OWN, Origin.COMMON}
    assert chosen.values.tolist() == best_thresholds(dense, targets).values.tolist()
    assert (lazy.reach(chosen.values) == (dense >= chosen.values)).all()
    assert (cross_fitted(lazy, targets) == cross_fitted(dense, targets)).all()
