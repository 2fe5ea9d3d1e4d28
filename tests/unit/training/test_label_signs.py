"""What shows that a model with several labels per text has learned nothing; and what only looks like it."""

import numpy as np
import pytest

from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorScore
from bert_classifier.evaluation.multi_label.result import assess_labels
from bert_classifier.training.label_signs import entropy_of_labels, ranks_hardly, signs_of_labels
from support.label_sets import drawn_labels

LABELS = ("a", "b", "c")


def signs(validation: MultiLabelEvaluation, threshold: float = 0.5, floor: LabelFloor | None = None):
    """Return what is said of answers at one threshold for all labels."""
    result = assess_labels({"validation": validation}, LABELS, label_threshold=threshold, target_precision=0)
    return signs_of_labels(result, floor)


def constant(logits: list[float], count: int = 60) -> MultiLabelEvaluation:
    """Return the same logits for texts of which each label is had by every second, in turn."""
    targets = np.random.default_rng(0).integers(0, 2, (count, 3)).astype(np.uint8)
    return MultiLabelEvaluation(np.tile(np.array(logits, dtype=np.float32), (count, 1)), targets)


def test_a_model_that_has_learned_is_not_doubted():
    """No sign, and the loss need not have moved far."""
    found = signs(drawn_labels(300, 3, separation=6.0))
    assert (found.one_answer, found.at_chance, found.few_texts) == ("", [], [])
    assert found.is_clearly_better


@pytest.mark.parametrize(
    ("logits", "said"),
    [([-2.0, -2.0, -2.0], "no label"), ([2.0, -2.0, 3.0], "the labels 'a', 'c'")],
)
def test_one_answer_for_all_texts_is_named(logits, said):
    """Labels that all texts get, or that none gets any; and it is no better than a constant."""
    found = signs(constant(logits))
    assert found.one_answer == f"the model answers {said} for all 60 validation texts"
    assert len(found.at_chance) == 1
    assert "is no better than always predicting the commonest labels (" in found.at_chance[0]
    assert not found.is_clearly_better


def test_few_texts_say_so():
    """Of ten texts nobody can tell."""
    found = signs(drawn_labels(10, 3, separation=1.0))
    assert len(found.few_texts) == 1
    assert found.few_texts[0].startswith("10 validation texts are too few to tell")


def test_the_floor_is_compared_on_the_same_texts():
    """A model far below it is; a floor that is a constant answer says nothing."""
    result = drawn_labels(300, 3, separation=0.1)
    right = LabelFloorScore.of(np.arange(300), result.targets == 1, result.targets)
    below = signs(result, floor=LabelFloor(100, 1.0, {"validation": right})).floor
    assert below is not None
    assert below.is_model_below
    assert below.p_value < 0.001
    assert not below.says_nothing
    nothing = LabelFloorScore.of(np.arange(300), np.zeros((300, 3), dtype=bool), result.targets)
    beside = signs(result, floor=LabelFloor(100, 1.0, {"validation": nothing})).floor
    assert beside is not None
    assert beside.says_nothing


def test_scores_that_rank_nothing():
    """Random ones are as bad as none, however the texts are split at one half; rare labels below it are not."""
    rare = drawn_labels(400, 3, separation=8.0)
    below_half = MultiLabelEvaluation(rare.logits - 20, rare.targets)
    assert not ranks_hardly(below_half)
    assert ranks_hardly(constant([0.0, 0.0, 0.0]))
    same = MultiLabelEvaluation(rare.logits, np.ones_like(rare.targets))
    assert not ranks_hardly(same)


def test_the_loss_of_guessing_is_the_entropy_of_what_the_loss_weighs():
    """By label, with weights and without; a label of all texts or of none costs nothing."""
    targets = np.array([[1, 1, 0]] * 2 + [[0, 1, 0]] * 6, dtype=np.uint8)
    plain = entropy_of_labels(targets, np.ones((2, 3), dtype=np.float32))
    share = 0.25
    assert plain == pytest.approx(-(share * np.log(share) + (1 - share) * np.log(1 - share)) / 3)
    balanced = np.array([[8 / 12, 0, 0.5], [2.0, 0.5, 0]], dtype=np.float32)
    assert entropy_of_labels(targets, balanced) == pytest.approx(8 * np.log(2) / (8 + 4 + 4))
