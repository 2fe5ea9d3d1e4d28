"""The headline numbers of a run, and what is fitted on its validation channel."""

import logging
import math

import numpy as np
import pytest

from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.metrics import Evaluation, wilson_interval
from bert_classifier.evaluation.result import EvaluationResult, assess
from support.evaluations import evaluation_of

# 40 sure and right, 10 unsure of which 4 are right; validation and test alike.
SURE = evaluation_of([(0, 0), (1, 1)] * 20, classes=3, margin=8.0)
UNSURE = evaluation_of([(0, 0)] * 4 + [(1, 0)] * 6, classes=3, margin=1.0)
MIXED = Evaluation(
    np.concatenate([SURE.logits, UNSURE.logits]), np.concatenate([SURE.targets, UNSURE.targets])
)


def test_summaries_hold_the_headline_numbers():
    """Worked out by hand: 44 of 50 are right, and without abstaining all are answered."""
    scores = assess({"validation": MIXED}, abstain_below=0.0, target_accuracy=0.0).summaries["validation"]
    assert scores["texts"] == 50
    assert scores["accuracy"] == pytest.approx(0.88)
    assert (scores["accuracy_low"], scores["accuracy_high"]) == pytest.approx(wilson_interval(44, 50))
    assert (scores["coverage"], scores["accuracy_of_answered"]) == (1.0, scores["accuracy"])
    assert scores["loss"] == MIXED.loss
    assert scores["nll"] < scores["loss"]
    assert scores["ece"] < scores["ece_uncalibrated"]


def test_target_accuracy_is_reached_by_abstaining(caplog):
    """To be right in 90 % the unsure texts get no label; the threshold lies between the two scores, and is told of."""
    with caplog.at_level(logging.INFO, "bert_classifier"):
        evaluation = assess({"validation": MIXED, "test": MIXED}, abstain_below=0.0, target_accuracy=0.9)
    scores = evaluation.summaries["test"]
    assert (scores["coverage"], scores["accuracy_of_answered"]) == (0.8, 1.0)
    interval = scores["accuracy_of_answered_low"], scores["accuracy_of_answered_high"]
    assert interval == pytest.approx(wilson_interval(40, 40))
    assert 0.4 < evaluation.abstain_below < 0.999
    assert evaluation.guarantee is not None
    assert evaluation.guarantee.threshold == evaluation.abstain_below
    assert "40 of 50 validation texts reach (80.0%), 40 of them right: 100.00%" in caplog.text


def test_a_point_estimate_is_not_enough():
    """All 40 sure texts are right, and still 95 % on new texts would take 59 of them."""
    evaluation = assess({"validation": MIXED}, abstain_below=0.0, target_accuracy=0.95)
    assert evaluation.abstain_below == 0.0
    assert evaluation.guarantee is not None
    assert evaluation.guarantee.needed == 59


def test_an_unreachable_target_is_warned_of_and_abstains_from_nothing():
    """A model whose surest answer is wrong reaches no target."""
    wrong = evaluation_of([(0, 1)] * 40, classes=3)
    evaluation = assess({"validation": wrong}, abstain_below=0.0, target_accuracy=0.5)
    assert evaluation.abstain_below == 0.0
    assert evaluation.warnings == [
        "target_accuracy=0.5 cannot be guaranteed: at no threshold are the labels of the 40 validation texts right that"
        " often. Every text gets a label. Add validation texts, lower target_accuracy, or train a better model."
    ]


def mixed(sure: int, unsure: int) -> Evaluation:
    """Return answers of which the sure ones are right and the unsure ones wrong."""
    parts = (evaluation_of([(0, 0)] * sure, 3, margin=8.0), evaluation_of([(1, 0)] * unsure, 3))
    return Evaluation(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("logits", "targets")))


@pytest.mark.parametrize(
    ("sure", "unsure", "words"),
    [
        (3, 17, ["with 95% confidence it needs at least 29 validation texts even if all answers were right"]),
        (25, 75, ["would need about 620 validation texts at this accuracy, and there are 100. Every text"]),
        (40, 60, ["costs most labels: 60% of the validation texts get none. Add validation texts, lower"]),
        (40, 40, []),
    ],
)  # fmt: skip
def test_a_threshold_says_what_it_costs(sure, unsure, words):
    """Where there is none, or where most texts get no label."""
    warnings = assess({"validation": mixed(sure, unsure)}, abstain_below=0.0, target_accuracy=0.9).warnings
    assert len(warnings) == len(words)
    assert all(part in warning for part, warning in zip(words, warnings, strict=True))


def test_a_threshold_set_by_hand_is_not_judged():
    """Who sets it knows why."""
    assert assess({"validation": mixed(3, 17)}, abstain_below=0.9, target_accuracy=0.0).warnings == []


def test_a_threshold_of_ones_own_is_kept():
    """abstain_below decides where no target is given."""
    evaluation = assess({"validation": MIXED}, abstain_below=0.6, target_accuracy=0.0)
    assert evaluation.abstain_below == 0.6
    assert evaluation.summaries["validation"]["coverage"] == 0.8


def test_numbers_that_are_none_spoil_no_mean(caplog):
    """A warning counts such texts, and each takes part with a number; all scores stay finite."""
    logits = MIXED.logits.copy()
    logits[0], logits[1, 2] = math.nan, math.inf
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        evaluation = assess(
            {"validation": Evaluation(logits, MIXED.targets)}, abstain_below=0.0, target_accuracy=0.0
        )
    assert all(map(math.isfinite, evaluation.summaries["validation"].values()))
    assert "not finite for 2 texts of validation" in caplog.text


@pytest.mark.parametrize(
    ("channels", "reported"),
    [(("validation", "test"), "test"), (("validation",), "validation"), (("holdout.csv",), "holdout.csv")],
)
def test_the_reported_channel_is_test_or_else_validation(channels, reported):
    """What was not looked at while training comes first."""
    assert EvaluationResult(dict.fromkeys(channels, MIXED), Temperature(1.0), 0.0).channel == reported
