"""Settings of one label per text and of several: each is refused where it does nothing, with what to do."""

import dataclasses

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.job.task_settings import DEFAULTS, require_suitable
from support.clear_text import assert_clear


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task": "multi", "target_accuracy": "0.9"}, "target_accuracy is for texts with one label"),
        ({"task": "multi", "abstain_below": "0.5"}, "label_threshold is the score from which"),
        ({"label_separator": "|", "abstain_below": "0.5"}, "abstain_below is for texts with one label"),
        ({"label_columns": "a,b", "target_accuracy": "0.5"}, "target_accuracy is for texts with one label"),
        ({"task": "single", "target_precision": "0.9"}, "target_precision is for texts with several labels"),
        ({"task": "single", "label_threshold": "0.3"}, "label_threshold is for texts with several labels"),
        ({"task": "single", "label_threshold": "0"}, "label_threshold is for texts with several labels"),
        (
            {"task": "single", "multi_label_score": "mean_average_precision"},
            "multi_label_score is for texts with several labels",
        ),
        ({"target_precision": "0.9", "label_threshold": "0.3"}, "give one of the two"),
        ({"target_precision": "0.9", "cross_validation": "5"}, "cannot be promised with cross_validation"),
        ({"target_accuracy": "0.9", "cross_validation": "5"}, "cannot be promised with"),
    ],
)
def test_what_contradicts_itself_is_refused_before_the_data_are_read(settings, said):
    """Also on the laptop, since the settings alone tell."""
    with pytest.raises(UserError) as raised:
        TrainConfig.from_hyperparameters(settings)
    assert_clear(raised.value)
    assert said in raised.value.cause


@pytest.mark.parametrize(
    ("task", "settings", "is_refused"),
    [
        (Task.MULTI, {"target_accuracy": 0.9}, True),
        (Task.MULTI, {"target_precision": 0.9, "label_threshold": None}, False),
        (Task.MULTI, {"multi_label_score": "mean_average_precision"}, False),
        (Task.SINGLE, {"target_precision": 0.9}, True),
        (Task.SINGLE, {"label_threshold": 0.2}, True),
        (Task.SINGLE, {"label_threshold": 0.0}, True),
        (Task.SINGLE, {"target_accuracy": 0.9, "abstain_below": 0.0}, False),
        (Task.SINGLE, {}, False),
        (Task.MULTI, {}, False),
    ],
)
def test_with_task_auto_the_data_decide(task, settings, is_refused):
    """What their labels do not take is refused then; settings at their defaults never."""
    config = TrainConfig(**settings)
    if not is_refused:
        require_suitable(config, task)
        return
    with pytest.raises(UserError, match=next(iter(settings))) as raised:
        require_suitable(config, task)
    assert_clear(raised.value)


def test_the_defaults_are_those_of_the_settings():
    """Each of its own field; they are repeated, since TrainConfig imports the module."""
    fields = {field.name: field.default for field in dataclasses.fields(TrainConfig)}
    assert {name: fields[name] for name in DEFAULTS} == DEFAULTS
