"""A run that is stopped does not replace a complete model."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.manifest import put_files
from bert_classifier.errors import UserError
from bert_classifier.training.existing_model import keep_existing_model
from support.toy_artifact import make_artifact

INFO: dict[str, Any] = {
    "run_fingerprint": "0123456789ab",
    "kept_step": 12,
    "is_complete": True,
    "metrics": {"validation": {"accuracy": 0.9}},
    "hyperparameters": {"abstain_below": 0.0, "target_accuracy": 0.9, "logging_steps": 0},
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sound model of no run."""
    return make_artifact(tmp_path_factory.mktemp("artifact") / "model")


def artifact_of(artifact: Path, folder: Path, **info: Any) -> Path:
    """Return a sound model whose training.json says this of its run."""
    staged = folder / "staged"
    shutil.copytree(artifact, staged)
    (staged / "manifest.json").unlink()
    recorded = json.loads((staged / "training.json").read_text())
    (staged / "training.json").write_text(json.dumps({**recorded, **INFO, **info}))
    put_files(staged, folder / "model")
    load_artifact(folder / "model")
    return folder / "model"


def test_this_runs_complete_model_stays(artifact, tmp_path, caplog):
    """Exported by an earlier start: a stop takes nothing from it, settings that it does not depend on may differ."""
    caplog.set_level(logging.INFO)
    model = artifact_of(artifact, tmp_path)
    now = {**INFO, "is_complete": False, "hyperparameters": {**INFO["hyperparameters"], "logging_steps": 5}}
    assert keep_existing_model(model, now)
    assert "it is complete, and of this run" in caplog.text


@pytest.mark.parametrize(
    ("theirs", "whose"),
    [
        ({"run_fingerprint": "ba9876543210"}, "of another run."),
        ({"kept_step": 8}, "of this run with other settings."),
        (
            {"hyperparameters": {"abstain_below": 0.5, "target_accuracy": 0.9}},
            "of this run with other settings.",
        ),
        (
            {"hyperparameters": {**INFO["hyperparameters"], "label_threshold": 0.3}},
            "of this run with other settings.",
        ),
        ({"run_fingerprint": None}, "of an unknown run."),
    ],
)
def test_another_complete_model_stays_with_a_warning(artifact, tmp_path, caplog, theirs, whose):
    """What the stopped run has learnt so far is not exported over it; the log says so, and what to do."""
    model = artifact_of(artifact, tmp_path, **theirs)
    assert keep_existing_model(model, {**INFO, "is_complete": False})
    (message,) = caplog.messages
    assert whose in message
    assert "is not exported" in message
    assert "Start the job again" in message


def test_what_is_not_complete_may_be_replaced(artifact, tmp_path):
    """An empty folder, a stopped run's model, a damaged one."""
    (tmp_path / "empty").mkdir()
    assert not keep_existing_model(tmp_path / "empty", INFO)
    assert not keep_existing_model(artifact_of(artifact, tmp_path / "stopped", is_complete=False), INFO)
    assert not keep_existing_model(artifact_of(artifact, tmp_path / "unjudged", metrics={}), INFO)
    damaged = artifact_of(artifact, tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError):
        load_artifact(damaged)
    assert not keep_existing_model(damaged, INFO)
