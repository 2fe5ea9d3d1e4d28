"""Metrics against slow, obvious formulas."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional

from bert_classifier.evaluation.metrics import Evaluation
from support.evaluations import evaluation_of

CLASSES = 4
PAIRS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


def slow_f(pairs: list[tuple[int, int]], wanted: int, beta: float) -> float:
    """Return F-beta of a class by its definition over single texts."""
    hits = sum(1 for true, said in pairs if true == said == wanted)
    misses = sum(1 for true, said in pairs if true == wanted != said)
    alarms = sum(1 for true, said in pairs if said == wanted != true)
    weight = beta * beta
    whole = (1 + weight) * hits + weight * misses + alarms
    return (1 + weight) * hits / whole if whole else 0.0


@given(pairs=PAIRS)
def test_confusion_counts_each_text_once(pairs):
    """Row is the true class, column the predicted one."""
    confusion = evaluation_of(pairs, CLASSES).confusion
    for true in range(CLASSES):
        for said in range(CLASSES):
            assert confusion[true, said] == pairs.count((true, said))
    assert confusion.dtype == np.int64


@given(pairs=PAIRS)
def test_accuracy_is_the_share_of_right_answers(pairs):
    """Counted text by text."""
    result = evaluation_of(pairs, CLASSES)
    assert result.count == len(pairs)
    assert result.accuracy == pytest.approx(sum(true == said for true, said in pairs) / len(pairs))


@given(pairs=PAIRS, beta=st.sampled_from([0.5, 1.0, 2.0]))
def test_f_scores_are_those_of_the_definition(pairs, beta):
    """Each class' F-beta, also of a class that does not occur or was never predicted."""
    expected = [slow_f(pairs, wanted, beta) for wanted in range(CLASSES)]
    assert evaluation_of(pairs, CLASSES).f_score(beta) == pytest.approx(expected)


@given(pairs=PAIRS)
def test_precision_and_recall_are_those_of_the_definition(pairs):
    """0 where nothing was predicted, or nothing was there."""
    result = evaluation_of(pairs, CLASSES)
    for wanted in range(CLASSES):
        said = [true for true, said in pairs if said == wanted]
        there = [said for true, said in pairs if true == wanted]
        assert result.precision[wanted] == pytest.approx(said.count(wanted) / len(said) if said else 0)
        assert result.recall[wanted] == pytest.approx(there.count(wanted) / len(there) if there else 0)


@given(pairs=PAIRS)
def test_macro_f1_is_the_mean_over_the_classes_that_occur(pairs):
    """A class that is neither there nor predicted does not pull the mean down."""
    occurring = {label for pair in pairs for label in pair}
    expected = sum(slow_f(pairs, wanted, 1) for wanted in occurring) / len(occurring)
    assert evaluation_of(pairs, CLASSES).macro_f1 == pytest.approx(expected)


@given(pairs=PAIRS)
def test_weighted_mean_counts_each_text(pairs):
    """A class weighs as much as it has texts; weighted recall is the accuracy."""
    result = evaluation_of(pairs, CLASSES)
    expected = sum(slow_f(pairs, true, 1) for true, _ in pairs) / len(pairs)
    assert result.weighted(result.f_score(1)) == pytest.approx(expected)
    assert result.weighted(result.recall) == pytest.approx(result.accuracy)


def test_score_is_accuracy_or_the_positive_class_f1():
    """With a positive class its F1 decides, though another class be easier."""
    pairs = [(0, 0)] * 8 + [(1, 1), (1, 0)]
    result = evaluation_of(pairs, CLASSES)
    assert result.score(None) == pytest.approx(0.9)
    assert result.score(1) == pytest.approx(slow_f(pairs, 1, 1)) == pytest.approx(2 / 3)


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
