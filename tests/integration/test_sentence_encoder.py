"""A job with a sentence encoder and few texts: the mean of the tokens, killed and resumed, opened by transformers."""

import json
import signal
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.evaluation.evaluate import logits_for
from support.fakes import make_ml_root
from support.patience import PATIENCE_S
from support.train_cluster import started

SETTINGS = {"num_train_epochs": "6", "logging_steps": "1", "checkpoint_interval_seconds": "1"}
POOLING = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


def job(folder: Path) -> Path:
    """Return a toy job whose encoder says that it was trained on the mean of its tokens."""
    root = make_ml_root(folder / "ml", hyperparameters=SETTINGS, rows=120)
    (root / "checkpoints").mkdir()
    settings = root / "input" / "data" / "model" / "1_Pooling" / "config.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(POOLING), encoding="utf-8")
    return root


def test_a_job_with_the_mean_is_killed_resumed_and_opened_elsewhere(tmp_path: Path) -> None:
    """Same bits as undisturbed; plain transformers gives the logits of this project, with one layer more."""
    whole, killed = job(tmp_path / "whole"), job(tmp_path / "killed")
    with started([whole], is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == 0, host.log.read_text()
        assert "pooling=mean" in host.log.read_text()
    with started([killed], is_forked=True) as (host,):
        host.wait_for("checkpoint at step")
        host.process.send_signal(signal.SIGKILL)
        host.process.wait(PATIENCE_S)
    with started([killed], is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == 0, host.log.read_text()
        assert "resuming from step" in host.log.read_text()
    weights = [(root / "model" / "model.safetensors").read_bytes() for root in (whole, killed)]
    assert weights[0] == weights[1]

    info = json.loads((whole / "model" / "training.json").read_text(encoding="utf-8"))
    assert {"pooling", "head_init"} <= set(info["automatic_hyperparameters"])
    assert info["hyperparameters"]["pooling"] == "mean"
    given, trained = (
        json.loads((whole / path / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
        for path in ("input/data/model", "model")
    )
    assert trained == given + 1

    texts = ["apple banana", "some other words that are longer than these"]
    model = AutoModelForSequenceClassification.from_pretrained(whole / "model")
    tokens = AutoTokenizer.from_pretrained(whole / "model")(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        plain = model.eval()(**tokens).logits.numpy()
    np.testing.assert_allclose(plain, logits_for(load_artifact(whole / "model"), texts), atol=1e-4)
