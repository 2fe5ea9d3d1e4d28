"""Texts with several labels each: a whole job as a user starts it, its artifact in plain transformers, and resuming."""

import hashlib
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import pipeline

from bert_classifier.artifact.artifact import load_artifact
from support.fakes import remove_channel
from support.forked_jobs import log_of, run_job
from support.label_set_job import label_set_rows, make_label_set_root
from support.train_cluster import make_root
from support.train_process import train_in_process

SETTINGS: dict[str, Any] = {"num_train_epochs": "8", "global_batch_size": "8"}


def digest(root: Path) -> str:
    """Return the SHA-256 of a job's model."""
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module", params=["lists", "cells"])
def trained(request, tmp_path_factory) -> Path:
    """Return a finished job; each way to write label sets once."""
    root = make_label_set_root(tmp_path_factory.mktemp(request.param) / "ml", request.param, **SETTINGS)
    assert run_job(root) == 0, log_of(root)
    return root


def test_the_job_says_what_it_understood_and_how_good_it_is(trained):
    """Task, scores by name for metric services, thresholds, floor, and a headline of micro-F1."""
    log = (trained / "log").read_text(encoding="utf-8")
    info = load_artifact(trained / "model").info
    assert "any number of" in log
    assert "floor: logistic regression on the frozen encoder has a micro-F1 of" in log
    assert re.search(r" eval_micro_f1=\d", log)
    for name in ("validation_micro_f1", "test_micro_f1", "test_mean_average_precision"):
        assert float(re.findall(rf" {name}=([\d.]+)", log)[-1]) > 0.5
    assert info["task"] == "multi"
    assert info["is_complete"] is True
    assert info["headline"].startswith("Micro-F1 is")
    assert list(info["thresholds"]) == ["Alpha", "Beta", "Gamma"]
    assert all(0 < threshold < 1 for threshold in info["thresholds"].values())
    assert info["floor"]["test"].keys() == {"texts", "micro_f1", "macro_f1", "subset_accuracy"}
    assert info["metrics"]["test"]["micro_f1"] > 0.5
    baseline = json.loads((trained / "model" / "baseline.json").read_text(encoding="utf-8"))
    labels = sum(len(labels) for _, labels in label_set_rows(60, 1))
    assert sum(baseline["measures"]["labels"]["counts"]) == labels


def test_plain_transformers_gives_the_same_scores(trained):
    """TextClassificationPipeline with the sigmoid, all labels, at the artifact's temperature: to 1e-5."""
    artifact = load_artifact(trained / "model")
    texts = [text for text, _ in label_set_rows(20, 5)]
    classify: Any = pipeline("text-classification", model=str(trained / "model"), device="cpu")
    cut = {"truncation": True, "max_length": artifact.info["max_seq_length"]}
    answers = classify(texts, function_to_apply="none", top_k=None, **cut)
    scores = classify(texts, function_to_apply="sigmoid", top_k=None, **cut)
    ours = logits_of(artifact, texts)
    for logits, raw, found in zip(ours, answers, scores, strict=True):
        theirs = {answer["label"]: answer["score"] for answer in raw}
        assert [theirs[label] for label in artifact.labels] == pytest.approx(logits.tolist(), abs=1e-5)
        wanted = {label: 1 / (1 + np.exp(-logit)) for label, logit in theirs.items()}
        assert {one["label"]: one["score"] for one in found} == pytest.approx(wanted, abs=1e-5)
        calibrated = 1 / (1 + np.exp(-logits / artifact.temperature))
        tempered = {label: 1 / (1 + np.exp(-logit / artifact.temperature)) for label, logit in theirs.items()}
        assert [tempered[label] for label in artifact.labels] == pytest.approx(calibrated.tolist(), abs=1e-5)
    assert artifact.model.config.problem_type == "multi_label_classification"


def logits_of(artifact, texts: list[str]) -> np.ndarray:
    """Return our own logits, float64 (n, classes)."""
    from bert_classifier.evaluation.evaluate import logits_for

    return logits_for(artifact, texts).astype(np.float64)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a job that its tests interrupt; its input is shared by their roots."""
    return make_label_set_root(tmp_path_factory.mktemp("job") / "ml", rows=64)


@pytest.fixture(scope="module")
def quiet(job: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of the model that one rank trains undisturbed."""
    root = root_for(job, tmp_path_factory.mktemp("quiet") / "ml", "1")
    assert run_job(root) == 0, log_of(root)
    return digest(root)


def root_for(job: Path, root: Path, processes: str) -> Path:
    """Return a root of its own for the job, on so many ranks."""
    settings = {**SETTINGS, "num_train_epochs": "4", "num_gradient_groups": "2"}
    score = "mean_average_precision"
    return make_root(job, root, **settings, processes_per_host=processes, multi_label_score=score)


KILL = ("checkpoint at step", signal.SIGKILL, -9)
STOP = ("step=17 ", signal.SIGTERM, 143)


@pytest.mark.parametrize(
    ("processes", "ends"), [("1", [KILL, STOP]), pytest.param("2", [STOP], marks=pytest.mark.slow)]
)
def test_killed_or_told_to_stop_the_job_resumes_to_the_same_bits(job, quiet, tmp_path, processes, ends):
    """SIGKILL and SIGTERM at two moments of a job on one rank, SIGTERM on two; every start resumes."""
    root = root_for(job, tmp_path / "ml", processes)
    for number, (moment, signal_number, code) in enumerate(ends):
        assert run_job(root, signal_at=moment, number=signal_number) == code, log_of(root)
        assert ("resuming from step" in log_of(root)) == (number > 0)
    assert run_job(root) == 0, log_of(root)
    assert "resuming from step" in log_of(root)
    assert digest(root) == quiet


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"seeds": "2", "target_precision": "0.5", "class_weights": "balanced", "page_examples": "3"},
        {"cross_validation": "3", "label_threshold": "0.4", "head_init": "logistic_regression"},
    ],
    ids=str,
)
def test_jobs_of_several_trainings_end_well(tmp_path, capsys, settings):
    """Seeds and folds, promises and fixed thresholds: everything is in training.json."""
    root = make_label_set_root(tmp_path / "ml", rows=60, num_train_epochs="2", **settings)
    if "cross_validation" in settings:
        remove_channel(root, "validation")
    outcome = train_in_process(root, capsys)
    assert outcome.code == 0, outcome.log
    info = load_artifact(root / "model").info
    if "seeds" in settings:
        assert "validation micro-F1" in outcome.log
        assert info["guarantee"]["target_precision"] == 0.5
        assert len(info["page_examples"]) == 3
    else:
        assert info["thresholds"] == dict.fromkeys(("Alpha", "Beta", "Gamma"), 0.4)
        assert info["cross_validation"]["texts"] == 60
        assert "folds: mean average precision" in outcome.log
    card = (root / "model" / "README.md").read_text(encoding="utf-8")
    assert "torch.sigmoid(" in card


@pytest.mark.parametrize(
    ("form", "settings", "name"),
    [
        ("lists", {"target_accuracy": "0.9"}, "target_accuracy"),
        ("lists", {"abstain_below": "0.5"}, "abstain_below"),
    ],
)
def test_settings_that_do_nothing_here_are_refused(tmp_path, capsys, form, settings, name):
    """Where the task becomes known only from the data: before anything is trained, with what to do instead."""
    root = make_label_set_root(tmp_path / "ml", form, rows=24, **settings)
    outcome = train_in_process(root, capsys)
    assert outcome.code == 2
    assert f"{name} is for texts with one label, and here a text may have several" in outcome.failure
    assert "step=" not in outcome.log
