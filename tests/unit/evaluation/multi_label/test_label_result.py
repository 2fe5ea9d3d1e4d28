"""The result with several labels per text: temperature and thresholds are validation's."""

from typing import Any

import numpy as np
import pytest

from bert_classifier.evaluation.any_headline import any_headline, commonest_mistake
from bert_classifier.evaluation.assessment import assess
from bert_classifier.evaluation.evaluation_of import evaluation_of
from bert_classifier.evaluation.multi_label import result as result_module
from bert_classifier.evaluation.multi_label.calibration import sigmoid
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorScore
from bert_classifier.evaluation.multi_label.headline import constant_f1
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.multi_label.thresholds import best_thresholds, cross_fitted
from bert_classifier.evaluation.result import EvaluationResult
from support.label_sets import drawn_labels

LABELS = ("never", "a", "b", "c", "most")
VALIDATION, TEST = drawn_labels(300, 5, 1), drawn_labels(200, 5, 2)


def assessed(**settings: Any) -> MultiLabelResult:
    """Return the result for validation and test."""
    found = assess({"validation": VALIDATION, "test": TEST}, LABELS, **settings)
    assert isinstance(found, MultiLabelResult)
    return found


def test_the_targets_decide_which_result_it_is():
    """Indices of classes, or a row of 0 and 1 for each text."""
    logits = np.zeros((3, 2), dtype=np.float32)
    classes = evaluation_of(logits, np.array([0, 1, 1]))
    labels = evaluation_of(logits, np.ones((3, 2), dtype=np.uint8), "mean_average_precision")
    assert isinstance(assess({"validation": classes}), EvaluationResult)
    assert isinstance(assess({"validation": labels}, ("a", "b")), MultiLabelResult)
    assert isinstance(labels, MultiLabelEvaluation)
    assert labels.score(None) == labels.mean_average_precision


def test_test_is_answered_by_validations_thresholds_and_validation_crosswise():
    """The thresholds of the result are those of all validation texts, after the temperature."""
    result = assessed()
    of_validation = sigmoid(VALIDATION.logits, result.temperature.value)
    assert result.thresholds.tolist() == best_thresholds(of_validation, VALIDATION.targets).values.tolist()
    of_test = sigmoid(TEST.logits, result.temperature.value)
    assert (result.predictions("test").predicted == (of_test >= result.thresholds)).all()
    crossed = cross_fitted(of_validation, VALIDATION.targets)
    assert (result.predictions("validation").predicted == crossed).all()
    assert result.channel == "test"


@pytest.mark.parametrize(("most", "is_crossed"), [(VALIDATION.targets.size, True), (10, False)])
def test_a_run_that_ends_early_cross_fits_few_texts_only(monkeypatch, caplog, most, is_crossed):
    """The stop leaves minutes; of many texts the answers are those by the thresholds, and the log says so."""
    monkeypatch.setattr(result_module, "_MOST_HURRIED", most)
    with caplog.at_level("WARNING", "bert_classifier"):
        hurried = assess({"validation": VALIDATION}, LABELS, is_hurried=True)
    assert isinstance(hurried, MultiLabelResult)
    assert hurried.is_cross_fitted("validation") is is_crossed
    assert ("scores on validation flatter" in caplog.text) is not is_crossed
    by_thresholds = hurried.probabilities("validation") >= hurried.thresholds
    assert (hurried.predictions("validation").predicted == by_thresholds).all() == (not is_crossed)
    assert assessed().is_cross_fitted("validation")


def test_a_fixed_threshold_is_taken_as_it_is():
    """On validation too."""
    result = assessed(label_threshold=0.25)
    assert result.thresholds_by_label == dict.fromkeys(LABELS, 0.25)
    expected = sigmoid(VALIDATION.logits, result.temperature.value) >= 0.25
    assert (result.predictions("validation").predicted == expected).all()


def test_a_promise_is_kept_in_the_result():
    """A label without one is null in training.json, never answered, and warned of; the others reach the target."""
    result = assessed(target_precision=0.9)
    assert result.thresholds_by_label["never"] is None
    assert not result.predictions("test").predicted[:, 0].any()
    assert len(result.warnings) == 1
    assert "never" in result.warnings[0]
    assert result.guarantee is not None
    assert result.guarantee.metrics["target_precision"] == 0.9


def test_summaries_are_numbers_of_each_channel():
    """All finite, with the interval around the score."""
    for name, scores in assessed().summaries.items():
        assert scores["texts"] == {"validation": 300, "test": 200}[name]
        assert all(np.isfinite(value) for value in scores.values())
        assert 0 < scores["micro_f1_low"] < scores["micro_f1"] < scores["micro_f1_high"] < 1


def test_logits_that_are_not_finite_spoil_no_mean(caplog):
    """They count as 0, or as certain, with a warning."""
    logits = VALIDATION.logits.copy()
    logits[0] = np.nan
    with caplog.at_level("WARNING", "bert_classifier"):
        result = assess({"validation": MultiLabelEvaluation(logits, VALIDATION.targets)}, LABELS)
    assert "not finite for 1 text of validation" in caplog.text
    assert np.isfinite(result.summaries["validation"]["loss"])


def test_the_headline_says_f1_with_its_interval():
    """And the texts that are right as a whole; few texts say so."""
    result = assessed()
    scores = result.summaries["test"]
    exact = 100 * scores["subset_accuracy"]
    told = any_headline(result).sentence
    assert told == (
        f"Micro-F1 is {scores['micro_f1']:.2f} on 200 test texts (95 % interval {scores['micro_f1_low']:.2f}–"
        f"{scores['micro_f1_high']:.2f}); {exact:.0f} % of them have exactly the predicted labels."
    )
    few = MultiLabelEvaluation(VALIDATION.logits[:8], VALIDATION.targets[:8])
    told = any_headline(assess({"validation": few}, LABELS), is_held_out=True).sentence
    assert told.startswith("Micro-F1 is 0.")
    assert " on 8 held-out texts (95 % interval " in told
    assert "too few to say more" in told


def test_the_headline_compares_with_simpler_answers():
    """With the floor by a paired test, and with the same labels for every text."""
    result = assessed()
    answers = result.predictions("test")
    score = LabelFloorScore.of(np.arange(200), np.zeros((200, 5), dtype=bool), TEST.targets)
    floor = LabelFloor(100, 1.0, {"test": score})
    constant = constant_f1(answers.support, 200)
    told = any_headline(result, floor=LabelFloor.from_json(floor.as_json())).comparison
    assert told == (
        "Better than logistic regression on the frozen encoder (0.00); better than predicting the commonest labels for"
        f" every text ({constant:.2f})."
    )
    same = LabelFloorScore.of(np.arange(200), answers.predicted, TEST.targets)
    told = any_headline(result, floor=LabelFloor(100, 1.0, {"test": same})).comparison
    assert told.startswith("Not clearly better than logistic regression")


def test_the_constant_answer_is_the_best_set_of_labels():
    """By hand: 8 of 10 texts have one label, 2 another: the first alone has 16/20, both 20/30."""
    assert constant_f1(np.array([2, 8]), 10) == pytest.approx(16 / 20)
    assert constant_f1(np.array([0, 0]), 10) == 0.0


def test_the_commonest_mistake_is_named():
    """Of all labels, the one that is missed or wrongly given most often."""
    answers = assessed().predictions("test")
    most = max(answers.missed.sum(axis=0).max(), answers.false.sum(axis=0).max())
    assert f"Most frequent mistake: {most} of " in commonest_mistake(assessed(), LABELS)
