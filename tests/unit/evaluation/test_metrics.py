"""Metrics, against scikit-learn, statsmodels, scipy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.proportion import proportion_confint
from torch.nn import functional

from bert_classifier.evaluation.metrics import Evaluation, chance_of_at_least, wilson_interval
from support.evaluations import evaluation_of

CLASSES = 4
LABELS = range(CLASSES)
PAIRS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


@given(pairs=PAIRS)
def test_confusion_matrix_and_accuracy(pairs):
    """Rows are true classes, columns predicted ones, those that do not occur included."""
    result = evaluation_of(pairs, CLASSES)
    expected = sklearn_metrics.confusion_matrix(*zip(*pairs, strict=True), labels=LABELS)
    assert result.confusion.tolist() == expected.tolist()
    assert result.confusion.dtype == np.int64
    assert result.count == len(pairs)
    assert result.accuracy == pytest.approx(sklearn_metrics.accuracy_score(*zip(*pairs, strict=True)))


@given(pairs=PAIRS, beta=st.sampled_from([0.5, 1.0, 2.0]))
def test_scores_per_class_and_their_weighted_means(pairs, beta):
    """Also of a class that does not occur or was never predicted."""
    result = evaluation_of(pairs, CLASSES)
    ours = (result.precision, result.recall, result.f_score(beta))
    for average in (None, "weighted"):
        expected = sklearn_metrics.precision_recall_fscore_support(
            *zip(*pairs, strict=True), beta=beta, labels=LABELS, average=average, zero_division=0
        )[:3]
        found = ours if average is None else [result.weighted(scores) for scores in ours]
        assert np.array(found) == pytest.approx(np.array(expected))


@given(pairs=PAIRS)
def test_macro_f1_is_the_mean_over_the_classes_that_occur(pairs):
    """As scikit-learn's default: a class that is neither there nor predicted does not pull the mean down."""
    expected = sklearn_metrics.f1_score(*zip(*pairs, strict=True), average="macro", zero_division=0)
    assert evaluation_of(pairs, CLASSES).macro_f1 == pytest.approx(expected)


def test_score_is_accuracy_or_the_positive_class_f1():
    """With a positive class its F1 decides, though another class be easier."""
    result = evaluation_of([(0, 0)] * 8 + [(1, 1), (1, 0)], CLASSES)
    assert (result.score(None), result.score(1)) == pytest.approx((0.9, 2 / 3))


def test_no_text_scores_nothing():
    """An empty evaluation divides by nothing."""
    result = evaluation_of([], 2)
    assert (result.count, result.accuracy, result.macro_f1, result.weighted(result.recall)) == (0, 0, 0, 0)
    assert result.loss == 0


@given(
    logits=arrays(np.float32, (5, CLASSES), elements=st.floats(-1e4, 1e4, width=32)),
    targets=arrays(np.int64, 5, elements=st.integers(0, CLASSES - 1)),
)
def test_loss_is_the_mean_cross_entropy(logits, targets):
    """As torch computes it in float64, for any finite logits, however large."""
    expected = functional.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(targets))
    result = Evaluation(logits, targets)
    assert result.loss == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
    assert result.predicted.tolist() == logits.argmax(axis=1).tolist()


@given(count=st.integers(1, 5000), share=st.floats(0, 1))
def test_wilson_interval(count, share):
    """As statsmodels computes it."""
    right = round(share * count)
    expected = proportion_confint(right, count, alpha=0.05, method="wilson")
    assert wilson_interval(right, count) == pytest.approx(expected, abs=1e-7)


def test_where_all_or_none_are_right_an_end_is_exact():
    """A perfect model is not below a perfect one by a rounding error."""
    intervals = [(wilson_interval(count, count), wilson_interval(0, count)) for count in range(1, 2001)]
    assert {of_all[1] for of_all, _ in intervals} == {1.0}
    assert {of_none[0] for _, of_none in intervals} == {0.0}
    assert all(0.0 < of_all[0] < 1.0 and 0.0 < of_none[1] < 1.0 for of_all, of_none in intervals)


def test_of_no_text_the_interval_is_everything():
    """Nothing is known."""
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(count=st.integers(1, 5000), right=st.floats(0, 1), share=st.floats(0, 1))
def test_the_chance_of_so_many_correct_ones_is_a_tail_of_the_binomial_distribution(count, right, share):
    """As scipy computes it, the ends included."""
    hits = round(right * count)
    expected = stats.binom.sf(hits - 1, count, share)
    assert chance_of_at_least(hits, count, share) == pytest.approx(expected, rel=1e-6, abs=1e-9)
