"""The headline numbers of a run, and what is fitted on its validation channel."""

import logging
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.evaluation.assessment import Assessment, assess
from bert_classifier.evaluation.calibration import Temperature
from bert_classifier.evaluation.scores import Evaluation, wilson_interval
from evaluations import evaluation_of

# 40 sure and right, 10 unsure of which 4 are right; validation and test alike.
SURE = evaluation_of([(0, 0), (1, 1)] * 20, classes=3, margin=8.0)
UNSURE = evaluation_of([(0, 0)] * 4 + [(1, 0)] * 6, classes=3, margin=1.0)
MIXED = Evaluation(
    np.concatenate([SURE.logits, UNSURE.logits]), np.concatenate([SURE.targets, UNSURE.targets])
)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (5, 10, 0.23659, 0.76341),
        (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0),
    ],
)  # fmt: skip
def test_wilson_interval(right, count, low, high):
    """The textbook's numbers: 81 of 263 is the example of Newcombe 1998, and 0 of 10 is 3.8415 ÷ 13.8415."""
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=5e-5)


@given(count=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_interval_ends_where_the_normal_test_turns(count, share):
    """Each end p satisfies |share − p| = z·√(p(1−p)/n), which is how Wilson defined it."""
    right = round(share * count)
    for end in wilson_interval(right, count):
        if 0 < end < 1:
            expected = 1.959964 * math.sqrt(end * (1 - end) / count)
            assert abs(right / count - end) == pytest.approx(expected, abs=1e-7)


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


def test_target_accuracy_is_reached_by_abstaining():
    """To be right in 95 % the unsure texts get no label; the threshold lies between the two scores."""
    assessment = assess({"validation": MIXED, "test": MIXED}, abstain_below=0.0, target_accuracy=0.95)
    scores = assessment.summaries["test"]
    assert (scores["coverage"], scores["accuracy_of_answered"]) == (0.8, 1.0)
    assert 0.4 < assessment.abstain_below < 0.999


def test_an_unreachable_target_is_told_and_abstains_from_nothing(caplog):
    """A model whose surest answer is wrong reaches no target."""
    wrong = evaluation_of([(0, 1)] * 40, classes=3)
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        assessment = assess({"validation": wrong}, abstain_below=0.0, target_accuracy=0.5)
    assert assessment.abstain_below == 0.0
    assert "target_accuracy=0.5 is not reached on validation" in caplog.text


def test_a_threshold_of_ones_own_is_kept():
    """abstain_below decides where no target is given."""
    assessment = assess({"validation": MIXED}, abstain_below=0.6, target_accuracy=0.0)
    assert assessment.abstain_below == 0.6
    assert assessment.summaries["validation"]["coverage"] == 0.8


def test_numbers_that_are_none_spoil_no_mean(caplog):
    """A text with such a logit is told of, and takes part with a number; all scores stay finite."""
    logits = MIXED.logits.copy()
    logits[0], logits[1, 2] = math.nan, math.inf
    with caplog.at_level(logging.WARNING, "bert_classifier"):
        assessment = assess(
            {"validation": Evaluation(logits, MIXED.targets)}, abstain_below=0.0, target_accuracy=0.0
        )
    assert all(map(math.isfinite, assessment.summaries["validation"].values()))
    assert "not finite for 2 text(s) of validation" in caplog.text


@pytest.mark.parametrize(
    ("channels", "reported"),
    [(("validation", "test"), "test"), (("validation",), "validation"), (("holdout.csv",), "holdout.csv")],
)
def test_the_reported_channel_is_test_or_else_validation(channels, reported):
    """What was not looked at while training comes first."""
    assert Assessment(dict.fromkeys(channels, MIXED), Temperature(1.0), 0.0).channel == reported
