"""What a model tells of itself, from training.json of any version, and of none."""

from typing import Any

import pytest

from bert_classifier.artifact.about import about

SCORES = {"texts": 70, "accuracy": 0.9, "accuracy_low": 0.81, "accuracy_high": 0.95}
NOTHING: dict[str, Any] = {
    "encoder": None, "job_name": None, "trained": None, "is_complete": True, "accuracy": {}, "examples": [],
}  # fmt: skip


def test_what_training_records():
    """The encoder's own name, the last attempt, both channels, the texts that may be shown."""
    info = {
        "encoder": {"source": "model channel", "name": None, "name_in_config": "some/encoder"},
        "lives": [
            {"job_name": "first", "began": "2026-11-01"},
            {"job_name": "second", "began": "2026-11-02"},
        ],
        "is_complete": False,
        "metrics": {"validation": {**SCORES, "loss": 0.3}, "test": SCORES},
        "page_examples": ["a text"],
        "temperature": 1.5,
    }
    assert about(info) == {
        "encoder": "some/encoder",
        "job_name": "second",
        "trained": "2026-11-02",
        "is_complete": False,
        "accuracy": {"validation": SCORES, "test": SCORES},
        "examples": ["a text"],
    }


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        ({"source": "model hub", "name": "bert-base-uncased", "name_in_config": None}, "bert-base-uncased"),
        ({"source": "model channel", "name": None, "name_in_config": None}, "from the model channel"),
        ({}, None),
    ],
)
def test_an_encoder_without_a_name(encoder, name):
    """It is said where it came from, if that is known."""
    assert about({"encoder": encoder})["encoder"] == name


@pytest.mark.parametrize(
    "value", [None, 7, "x", [], {}, [7, None], {"validation": 7}, {"name": ["x"]}], ids=str
)
def test_other_values_are_as_none(value: Any):
    """Nothing is taken for what it is not."""
    names = ("encoder", "lives", "metrics", "page_examples")
    assert about(dict.fromkeys(names, value)) == NOTHING
    assert about({}) == NOTHING
    assert about({"metrics": {"test": {**SCORES, "texts": "many"}}}) == NOTHING
    assert about({"lives": [{"from_step": 0}]}) == NOTHING
