"""A job with head_init=logistic_regression, killed and resumed: floor and head are those of the first attempt."""

import re
import signal
from pathlib import Path

from bert_classifier.artifact.artifact import load_artifact
from support.fakes import make_ml_root
from support.patience import PATIENCE_S
from support.train_cluster import started

SETTINGS = {
    "head_init": "logistic_regression", "num_train_epochs": "6", "logging_steps": "1",
    "checkpoint_interval_seconds": "1",
}  # fmt: skip


def job(folder: Path) -> Path:
    """Return a toy job with a checkpoint folder."""
    root = make_ml_root(folder / "ml", hyperparameters=SETTINGS, rows=120)
    (root / "checkpoints").mkdir()
    return root


def test_a_killed_job_keeps_its_floor_and_its_head(tmp_path):
    """The resumed run ends with the bits of the undisturbed one; it says the floor again and sets no head."""
    whole, killed = job(tmp_path / "whole"), job(tmp_path / "killed")
    with started([whole], is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == 0, host.log.read_text()
        first = host.log.read_text()
    with started([killed], is_forked=True) as (host,):
        host.wait_for("checkpoint at step")
        host.process.send_signal(signal.SIGKILL)
        host.process.wait(PATIENCE_S)
    with started([killed], is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == 0, host.log.read_text()
        second = host.log.read_text()
    assert "head: classifier starts as a logistic regression (C = 0.01)" in first
    assert re.search(r"resuming from step [1-9]", second)
    assert "head: " not in second
    said = [re.findall(r"floor: (.*) fitted on", log) for log in (first, second)]
    assert len(said[0]) == 1
    assert said[0] == said[1]
    infos = [load_artifact(root / "model").info for root in (whole, killed)]
    assert infos[0]["floor"] == infos[1]["floor"]
    assert infos[0]["hyperparameters"]["head_init"] == "logistic_regression"
    weights = [(root / "model" / "model.safetensors").read_bytes() for root in (whole, killed)]
    assert weights[0] == weights[1]
