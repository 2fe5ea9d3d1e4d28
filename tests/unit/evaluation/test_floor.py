"""The floor's scores: counted as for a model, compared on the same texts, kept in checkpoints as JSON."""

import json

import numpy as np
import pytest

from bert_classifier.evaluation.floor import Floor, FloorScore
from bert_classifier.evaluation.metrics import Evaluation

TARGETS = np.array([0, 0, 0, 1, 1, 2])
INDICES = np.array([0, 2, 3, 4, 5])


@pytest.fixture
def floor():
    """Return a floor that scored five of six validation texts: right on 0, 3 and 4, wrong on 2 and 5."""
    predicted = np.array([0, 1, 1, 1, 0])
    return Floor(30, 1.5, {"validation": FloorScore.of(INDICES, predicted, TARGETS[INDICES], 3)})


def test_scores_are_those_of_the_scored_texts(floor):
    """Right predictions, macro F1 (of 1/2, 4/5 and 0) and the commonest class are of the five texts alone."""
    score = floor.channels["validation"]
    assert (score.texts, score.right, score.commonest) == (5, 3, 2)
    assert score.macro_f1 == pytest.approx((0.5 + 0.8 + 0) / 3)
    assert floor.facts == {
        "trained_on": 30,
        "validation": {
            "texts": 5,
            "accuracy": 0.6,
            "macro_f1": score.macro_f1,
            "commonest_class_accuracy": 0.4,
        },
    }


def test_a_model_is_compared_on_the_same_texts(floor):
    """The model is right on 1, 2 and 3 of the channel; text 1 was not scored, so it does not count."""
    said = np.array([1, 0, 0, 1, 0, 0])
    result = Evaluation(np.eye(3, dtype=np.float32)[said], TARGETS)
    comparison = floor.channels["validation"].compare(result)
    assert (comparison.only_first, comparison.only_second, comparison.count) == (2, 1, 5)


def test_json_brings_all_of_it_back(floor):
    """A checkpoint holds the floor as JSON; the next attempt reads the same."""
    assert Floor.from_json(json.loads(json.dumps(floor.as_json()))) == floor


def test_the_sentence_names_both_shares(floor):
    """How many are right, of which texts, and what a constant answer would get."""
    assert floor.sentence("validation") == (
        "logistic regression on the frozen encoder is right on 3 of 5 validation texts (60 %; always predicting the"
        " commonest class: 40 %)"
    )
