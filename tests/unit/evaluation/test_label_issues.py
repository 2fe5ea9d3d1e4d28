"""Mistakes and label errors: the paper's definition with loops, and planted errors found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.label_issues import likely_label_errors, worst_mistakes


def probabilities_of(count: int, classes: int, seed: int, sharpness: float = 2.0) -> np.ndarray:
    """Return random probabilities, float64 (count, classes)."""
    return softmax(sharpness * np.random.default_rng(seed).standard_normal((count, classes)), 1.0)


@given(count=st.integers(0, 30), classes=st.integers(2, 5), seed=st.integers(0, 99))
def test_label_errors_are_those_of_the_definition(count, classes, seed):
    """Class by class and text by text: thresholds are means, the likeliest class above its own counts."""
    probabilities = probabilities_of(count, classes, seed)
    labels = np.random.default_rng(seed + 1000).integers(0, classes, count)
    expected = set()
    for index in range(count):
        best, best_score = None, -1.0
        for candidate in range(classes):
            own = [probabilities[other, candidate] for other in range(count) if labels[other] == candidate]
            if (
                own
                and probabilities[index, candidate] >= sum(own) / len(own) - 1e-15
                and probabilities[index, candidate] > best_score
            ):
                best, best_score = candidate, probabilities[index, candidate]
        if best is not None and best != labels[index]:
            expected.add((index, best))
    found = likely_label_errors(probabilities, labels)
    assert {(issue.index, issue.answer) for issue in found} == expected
    gains = [issue.answer_score - issue.label_score for issue in found]
    assert gains == sorted(gains, reverse=True)


def test_planted_label_errors_are_found():
    """Of 1,000 texts that a good model tells apart, the 20 wrong labels are all found, and little else."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 1000)
    logits = rng.standard_normal((1000, 4))
    logits[np.arange(1000), truth] += 9
    labels = truth.copy()
    planted = set(rng.permutation(1000)[:20].tolist())
    for index in planted:
        labels[index] = (truth[index] + 1) % 4
    found = likely_label_errors(softmax(logits, 1.0), labels)
    assert planted <= {issue.index for issue in found}
    assert len(found) <= 25
    assert all(issue.answer == truth[issue.index] for issue in found if issue.index in planted)


def test_a_class_without_texts_is_suggested_for_none():
    """Nothing is known of how sure the model is of it."""
    probabilities = np.array([[0.1, 0.9, 0.0], [0.2, 0.0, 0.8], [0.3, 0.0, 0.7]])
    assert likely_label_errors(probabilities, np.array([0, 0, 0])) == []


@given(count=st.integers(0, 30), seed=st.integers(0, 99))
def test_mistakes_are_all_there_the_surest_first(count, seed):
    """Every wrong answer once, with the scores of label and answer."""
    probabilities = probabilities_of(count, 3, seed)
    labels = np.random.default_rng(seed + 1000).integers(0, 3, count)
    found = worst_mistakes(probabilities, labels)
    assert sorted(s.index for s in found) == np.flatnonzero(probabilities.argmax(axis=1) != labels).tolist()
    scores = [s.answer_score for s in found]
    assert scores == sorted(scores, reverse=True)
    for issue in found:
        assert (issue.label_score, issue.answer_score) == pytest.approx(
            (probabilities[issue.index, labels[issue.index]], probabilities[issue.index].max())
        )
