"""What a precision changes, counted on texts with known logits."""

import numpy as np
import pytest

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.precisions import (
    Reading,
    are_near_ties,
)


def test_labels_are_counted_by_what_becomes_of_them():
    """Eight texts: five keep their label; of the others one is lost, one gained, one wrong twice."""
    exact = np.tile([4.0, 0.0, -4.0], (8, 1))
    found = exact.copy()
    found[5:] = [[0.0, 4.0, -4.0], [0.0, 4.0, -4.0], [0.0, 4.0, -4.0]]
    targets = np.array([0, 0, 0, 0, 2, 0, 1, 2])
    facts = Reading().compared(Evaluation(exact, targets), Evaluation(found, targets))
    counts = {name: facts[name] for name in ("same", "near_ties", "right", "gained", "lost")}
    assert counts == {"same": 5, "near_ties": 0, "right": 5, "gained": 1, "lost": 1}
    assert facts["agreement"] == facts["accuracy"] == 5 / 8
    assert {"ece", "nll", "brier"} < set(facts)


def test_with_a_threshold_the_answers_above_it_count():
    """Of three texts two reach 0.9, one of these is right."""
    result = Evaluation(np.array([[4.0, 0.0], [4.0, 0.0], [0.5, 0.0]]), np.array([0, 1, 0]))
    facts = Reading(abstain_below=0.9).facts(result)
    assert facts["coverage"] == pytest.approx(2 / 3)
    assert facts["accuracy_of_answered"] == 0.5
    assert "coverage" not in Reading().facts(result)


def test_a_promise_is_proved_anew_with_the_precisions_own_scores():
    """Here its confident texts are wrong as often as the others, so it has no threshold, though float32 has."""
    rng = np.random.default_rng(0)
    lead, targets = np.linspace(0.2, 6, 400), np.zeros(400, dtype=np.int64)
    targets[:60] = 1
    exact = Evaluation(np.stack([lead, np.zeros(400)], axis=1), targets)
    mixed = Evaluation(np.stack([rng.permutation(lead), np.zeros(400)], axis=1), targets)
    reading = Reading(1.0, 0.9, 0.97)
    promised, broken = (reading.compared(exact, found) for found in (exact, mixed))
    answered = int((1 / (1 + np.exp(-lead)) >= 0.9).sum())
    assert promised["answered_in_fp32"] == broken["answered_in_fp32"] == answered
    assert 0.5 < promised["threshold"] < 1
    assert promised["answered"] > 200
    assert broken["threshold"] is None
    assert "threshold" not in Reading(1.0, 0.9).compared(exact, mixed)


def noisy(leads: list[float], noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of two classes with these leads of the first, and with the leads moved by noise up and down."""
    exact = np.stack([np.array(leads), np.zeros(len(leads))], axis=1)
    moves = noise * np.where(np.arange(len(leads)) % 2, 1, -1)
    return exact, exact + np.stack([moves, np.zeros(len(leads))], axis=1)


def test_a_near_tie_is_a_lead_within_the_precisions_own_noise():
    """Here every lead moves by 0.1."""
    exact, found = noisy([0.05, 3.0, 0.09, 3.0, 0.2, 3.0], 0.1)
    changed = exact.argmax(axis=1) != found.argmax(axis=1)
    assert changed.tolist() == [True, False, True, False, False, False]
    assert (are_near_ties(exact, found) & changed).tolist() == changed.tolist()
    found[4, 0] = -0.05  # one text moves farther than the others
    assert not are_near_ties(exact, found)[4]


def test_a_wrong_result_does_not_excuse_itself():
    """Where everything moves by much, leads from odds of 5 to 4 on are still no ties."""
    exact, _ = noisy([3.0, 0.3, 0.2], 0.0)
    assert are_near_ties(exact, -10 * exact).tolist() == [False, False, True]
