"""Answers of a lower precision beside float32's, where a text's labels count as one."""

import dataclasses

import numpy as np

from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.precisions import LabelReading
from support.label_sets import drawn_labels

LABELS = ("a", "b", "c", "d")
HALF = LabelReading(LABELS, 1.0, np.full(4, 0.5))


def moved(result: MultiLabelEvaluation, noise: float, seed: int = 1) -> MultiLabelEvaluation:
    """Return predictions with noise in the logits."""
    drawn = noise * np.random.default_rng(seed).standard_normal(result.logits.shape)
    return dataclasses.replace(result, logits=(result.logits + drawn).astype(np.float32))


def test_sets_of_labels_are_counted():
    """A text keeps its labels only if it keeps all; gained and lost are whole texts."""
    targets = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], dtype=np.uint8)
    exact = MultiLabelEvaluation(np.array([[3, -3], [3, 3], [3, -3], [-3, 3]], dtype=np.float32), targets)
    found = MultiLabelEvaluation(np.array([[3, -3], [3, -3], [-3, -3], [-3, 3]], dtype=np.float32), targets)
    facts = LabelReading(("a", "b"), 1.0, np.full(2, 0.5)).compared(exact, found)
    counts = {name: facts[name] for name in ("same", "near_ties", "right", "gained", "lost")}
    assert counts == {"same": 2, "near_ties": 0, "right": 3, "gained": 1, "lost": 1}
    assert facts["accuracy"] == 0.75
    assert facts["agreement"] == 0.5


def test_what_changes_beside_a_threshold_is_a_near_tie():
    """Within the measured noise of the label's own threshold, at the artifact's temperature; else not."""
    exact = drawn_labels(2000, 4)
    reading = LabelReading(LABELS, 1.7, np.array([0.2, 0.5, 0.9, np.inf]))
    facts = reading.compared(exact, moved(exact, 0.01))
    assert facts["same"] < 2000
    assert facts["near_ties"] >= 0.6 * (2000 - facts["same"])
    assert reading.compared(exact, exact)["same"] == 2000
    wrong = dataclasses.replace(exact, logits=-exact.logits)
    worst = reading.compared(exact, wrong)
    assert worst["same"] + worst["near_ties"] < 0.3 * 2000


def test_a_label_that_is_never_answered_never_changes():
    """Its threshold is infinite, whatever its logits do."""
    exact = drawn_labels(100, 4)
    never = LabelReading(LABELS, 1.0, np.full(4, np.inf))
    facts = never.compared(exact, moved(exact, 5.0))
    assert facts["same"] == 100


def test_a_promise_is_proved_for_the_precision_itself():
    """Own thresholds by label, None for one that cannot be promised; none without a promise."""
    exact = drawn_labels(2000, 4, separation=6.0)
    promising = dataclasses.replace(HALF, target_precision=0.9)
    facts = promising.compared(exact, moved(exact, 0.01))
    assert facts["target_precision"] == 0.9
    assert facts["thresholds"]["a"] is None  # which no text has
    assert 0 <= facts["thresholds"]["c"] < 1
    assert promising.has_promise
    assert "thresholds" not in promising.without_promise.compared(exact, exact)
