"""A whole job measures what other precisions change; serving judges by it; a stop at that moment costs nothing else."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.artifact.agreement import Agreement
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import load_predictors
from support.fakes import make_ml_root, toy_rows
from support.patience import PATIENCE_S
from support.train_cluster import started
from support.train_process import CONTAINER

SETTINGS = {
    "num_train_epochs": "3",
    "max_seq_length": "64",
    "target_accuracy": "0.6",
    "validation_split": "0.5",
}
MOMENTS = Path(__file__).parents[1] / "support" / "faulty_moment"


def train(root: Path, moment: str = "") -> str:
    """Train on many texts, half of them held out, and return the log; SIGTERM comes once the log contains `moment`."""
    make_ml_root(root, hyperparameters=SETTINGS, rows=260)
    path = os.pathsep.join((str(CONTAINER), str(MOMENTS)))
    environ = {"PYTHONPATH": path, "SIGNAL_AT": moment, "SIGNAL_NUMBER": str(int(signal.SIGTERM))}
    with started([root], environ=environ) as (host,):
        assert host.process.wait(PATIENCE_S) == 0, host.log.read_text()
    return host.log.read_text()


def info_of(root: Path) -> dict[str, Any]:
    """Return the content of training.json."""
    info: dict[str, Any] = json.loads((root / "model" / "training.json").read_text("utf-8"))
    return info


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a job that ran through."""
    root = tmp_path_factory.mktemp("job") / "ml"
    train(root)
    return root


def test_the_artifact_tells_what_int8_changes(root):
    """On the validation texts, in each number of bits; its README.md and the report say it in a line."""
    info = info_of(root)
    counts = info["precisions"]
    assert (counts["texts"], counts["channel"]) == (info["metrics"]["validation"]["texts"], "validation")
    assert counts["fp32"]["accuracy"] == pytest.approx(info["metrics"]["validation"]["accuracy"])
    agreement = Agreement.of(info, "int8")
    assert agreement is not None
    assert Agreement.of(info, "int8_7_bits") is not None
    card, page = (root / "model" / "README.md", root / "output" / "data" / "report.html")
    for path in (card, page):
        assert f"{agreement.same:,} of {agreement.texts:,} validation texts keep float32" in path.read_text(
            "utf-8"
        )


def test_it_holds_no_text(root):
    """Counts and shares only."""
    written = json.dumps(info_of(root)["precisions"])
    assert not any(text in written for _, text in toy_rows(260))
    assert len(written) < 3000


def test_auto_follows_the_figures(root, monkeypatch):
    """Whatever they are: by the rule of the unit tests, and with the precision's own threshold if it has one."""
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: True)
    plan = make_plan(cores=1, gpus=0, models=1, threads=None, requests=1)
    served = {
        setting: load_predictors(
            root / "model", plan, max_batch_tokens=None, precision=setting, metrics=Metrics()
        )[0]
        for setting in ("", "auto")
    }
    assert served[""].about["served"] == {"precision": "fp32"}
    name = "int8" if torch.cpu._is_vnni_supported() else "int8_7_bits"
    agreement = Agreement.of(info_of(root), name)
    assert agreement is not None
    about, is_good = served["auto"].about["served"], not agreement.problem
    assert about["precision"] == ("int8" if is_good else "fp32")
    if is_good:
        assert about["measured"] == agreement.facts
        own = agreement.threshold
        assert served["auto"].abstain_below == (served[""].abstain_below if own is None else own)


def test_a_stop_while_it_is_measured_costs_the_figures_only(root, tmp_path):
    """The model is complete and the same, bit by bit, and the job has succeeded."""
    log = train(tmp_path / "ml", "measuring what serving in other precisions")
    assert "not measured: the job was told to stop" in log
    info = info_of(tmp_path / "ml")
    assert info["is_complete"]
    assert "precisions" not in info
    weights = [folder / "model" / "model.safetensors" for folder in (root, tmp_path / "ml")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
