"""Checks of a tuning job that need no AWS: whether any trial logs the objective."""

from pathlib import Path

import pytest

from bert_classifier.job.task import Task
from launcher.checks.tuning import check_objective, first_trial
from launcher.inputs.channels import LocalChannel
from launcher.inputs.table import task_of
from launcher.settings.training import TrainSettings
from launcher.settings.tuning import OF_SEVERAL_LABELS, TuneSettings

RANGE = ("learning_rate", "1e-5..1e-4")
ONE = "label,text\n" + "good,a text\nbad,another\n" * 5
SEVERAL = "".join(f'{{"labels": {labels}, "text": "a b"}}\n' for labels in ('["a"]', '["a", "b"]', "[]"))


def said(objective: str, read: Task | None, **hp: str) -> str:
    """Return what is refused of a tuning job whose data were read as those of a task."""
    settings = TuneSettings(hp=(RANGE, *hp.items()), objective=objective)
    return "; ".join(f"{one.message}. {one.remedy}" for one in check_objective(settings, read))


@pytest.mark.parametrize("objective", OF_SEVERAL_LABELS)
def test_a_score_of_several_labels_is_refused_where_the_data_have_one(objective):
    """All trials would be paid for, and the tuning job would fail for want of the score."""
    assert said(objective, Task.SINGLE) == (
        f"OBJECTIVE={objective} is for texts with several labels, and those of TRAIN have one each. "
        'Give OBJECTIVE=macro_f1, accuracy or loss; or HP="task=multi", if texts may have several.'
    )
    assert said(objective, Task.SINGLE, task="auto") == said(objective, Task.SINGLE)
    assert said(objective, Task.MULTI) == said(objective, None) == ""


def test_accuracy_is_refused_where_the_data_have_several_labels():
    """It is logged for one label per text only."""
    assert said("accuracy", Task.MULTI).startswith(
        "OBJECTIVE=accuracy is for texts with one label each. Give"
    )
    assert said("accuracy", Task.SINGLE) == said("macro_f1", Task.MULTI) == said("loss", Task.SINGLE) == ""


def test_what_the_hyperparameters_tell_counts_before_the_data():
    """The job does what it is told."""
    assert (
        said("micro_f1", Task.SINGLE, task="multi")
        == said("micro_f1", Task.SINGLE, label_separator="|")
        == ""
    )
    assert said("accuracy", Task.MULTI, task="single") == ""
    assert said("micro_f1", Task.MULTI, task="single").endswith(
        "and task is single. Give OBJECTIVE=macro_f1, accuracy or loss."
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("a.csv", ONE, Task.SINGLE), ("a.jsonl", SEVERAL, Task.MULTI), ("a.csv", "alone\nagain\n", None)],
)
def test_the_task_is_read_from_the_training_files(tmp_path: Path, name, content, expected):
    """One label or several; nothing of a file that the job refuses."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "one.csv").write_text(ONE, encoding="utf-8")
    files = {name: tmp_path / name, "one.csv": tmp_path / "one.csv"}
    of_trial = first_trial(TuneSettings(hp=(RANGE,)))
    assert task_of([LocalChannel("train", files)], of_trial) is expected
    assert task_of([LocalChannel("validation", files)], of_trial) is None
    only_one = TrainSettings(hp=(("train_file", "one.csv"),))
    assert task_of([LocalChannel("train", files)], only_one) is Task.SINGLE
    assert task_of([LocalChannel("train", {name: tmp_path / name})], only_one) is None
