"""Scores against slow, obvious formulas, and metric lines that every metric service can read."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.training.metrics import Evaluation, count_confusion, metric_line

CLASSES = 4
PAIRS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=60)


def evaluation_of(pairs: list[tuple[int, int]]) -> Evaluation:
    """Return the evaluation of (true, predicted) pairs."""
    targets, predicted = np.array(pairs).T
    return Evaluation(count_confusion(targets, predicted, CLASSES), 0.5)


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
    confusion = evaluation_of(pairs).confusion
    for true in range(CLASSES):
        for said in range(CLASSES):
            assert confusion[true, said] == pairs.count((true, said))
    assert confusion.dtype == np.int64


@given(pairs=PAIRS)
def test_accuracy_is_the_share_of_right_answers(pairs):
    """Counted text by text."""
    result = evaluation_of(pairs)
    assert result.count == len(pairs)
    assert result.accuracy == pytest.approx(sum(true == said for true, said in pairs) / len(pairs))


@given(pairs=PAIRS, beta=st.sampled_from([0.5, 1.0, 2.0]))
def test_f_scores_are_those_of_the_definition(pairs, beta):
    """Each class' F-beta, also of a class that does not occur or was never predicted."""
    expected = [slow_f(pairs, wanted, beta) for wanted in range(CLASSES)]
    assert evaluation_of(pairs).f_score(beta) == pytest.approx(expected)


@given(pairs=PAIRS)
def test_precision_and_recall_are_those_of_the_definition(pairs):
    """0 where nothing was predicted, or nothing was there."""
    result = evaluation_of(pairs)
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
    assert evaluation_of(pairs).macro_f1 == pytest.approx(expected)


@given(pairs=PAIRS)
def test_weighted_mean_counts_each_text(pairs):
    """A class weighs as much as it has texts; weighted recall is the accuracy."""
    result = evaluation_of(pairs)
    expected = sum(slow_f(pairs, true, 1) for true, _ in pairs) / len(pairs)
    assert result.weighted(result.f_score(1)) == pytest.approx(expected)
    assert result.weighted(result.recall) == pytest.approx(result.accuracy)


def test_score_is_accuracy_or_the_positive_class_f1():
    """With a positive class its F1 decides, though another class be easier."""
    pairs = [(0, 0)] * 8 + [(1, 1), (1, 0)]
    result = evaluation_of(pairs)
    assert result.score(None) == pytest.approx(0.9)
    assert result.score(1) == pytest.approx(slow_f(pairs, 1, 1)) == pytest.approx(2 / 3)


def test_no_text_scores_nothing():
    """An empty evaluation divides by nothing."""
    result = Evaluation(np.zeros((2, 2), dtype=np.int64), 0.0)
    assert (result.count, result.accuracy, result.macro_f1, result.weighted(result.recall)) == (0, 0, 0, 0)


VALUES = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e15, 1e15, allow_nan=False))


@given(values=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), VALUES, max_size=6))
def test_metric_lines_are_read_back(values):
    """Every value is plain decimals without an exponent, and close to what it was."""
    line = metric_line(values)
    pairs = re.findall(r"(?:^| )([a-z0-9_]+)=(-?[0-9]+(?:\.[0-9]+)?)(?= |$)", line)
    assert " ".join(f"{name}={number}" for name, number in pairs) == line
    assert [name for name, _ in pairs] == list(values)
    for (_, number), value in zip(pairs, values.values(), strict=True):
        assert math.isclose(
            float(number), value, rel_tol=1e-3, abs_tol=6e-5 if abs(value) >= 0.001 else 1e-10
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-5, "0.0000200000"), (1e-7, "0.0000001000"), (0.0, "0.0000"), (0.25, "0.2500"), (3, "3"),
        (12345.678, "12346"), (-0.5, "-0.5000"), (0.001, "0.0010"), (1e9, "1000000000"),
        (999.99999, "1000.0000"), (-2e-12, "-0.0000000000"),
    ],
)  # fmt: skip
def test_numbers_are_written_plainly(value, text):
    """A learning rate keeps its digits, a throughput loses its fraction."""
    assert metric_line({"x": value}) == f"x={text}"
