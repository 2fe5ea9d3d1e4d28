"""A whole training job: the real `train` on a small picture of /opt/ml, and everything it must leave behind."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.encoding.micro_batches import pad
from bert_classifier.modeling.forward import logits_of
from support.fakes import CLASS_NAMES, make_ml_root, toy_rows
from support.train_process import Outcome, train_as_process, train_in_process

CLASSES = 3
SETTINGS = {
    "num_train_epochs": "20",
    "class_weights": "balanced",
    "layer_decay": "0.95",
    "max_seq_length": "80",
    "page_examples": "4",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that has run, and how it ended."""

    root: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Train long enough to learn the toy task; a failure file of an earlier run lies there."""
    root = make_ml_root(
        tmp_path_factory.mktemp("job") / "ml",
        hyperparameters=SETTINGS,
        rows=96,
        classes=CLASSES,
    )
    (root / "output").mkdir()
    (root / "output" / "failure").write_text("UserError: an earlier run's.")
    return Job(root, train_as_process(root))


def test_job_succeeds(job):
    """Exit code 0, the old failure file gone, and a log of nothing but dated lines."""
    assert job.outcome.code == 0, job.outcome.log
    assert job.outcome.failure == ""
    for line in job.outcome.log.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d INFO ", line), line
    assert "WARNING" not in job.outcome.log


def test_inputs_are_only_read(job, tmp_path):
    """Nothing below input has changed or been added."""
    fresh = make_ml_root(tmp_path / "ml", hyperparameters=SETTINGS, rows=96, classes=CLASSES)
    assert contents_of(job.root / "input") == contents_of(fresh / "input")


def contents_of(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_model_has_learnt_the_task(job):
    """Unseen texts are classified by the loaded artifact far better than by chance, as evaluation.json says."""
    artifact = load_artifact(job.root / "model")
    rows = toy_rows(48, CLASSES, seed=2)  # what the test channel holds
    encoded = artifact.encoder.encode_batch([text for _, text in rows])
    with torch.inference_mode():
        ids, mask = pad(encoded, torch.arange(len(rows)).numpy(), artifact.encoder.pad_id)
        predicted = logits_of(artifact.model, ids, mask).argmax(dim=-1).tolist()
    assert artifact.labels == CLASS_NAMES[:CLASSES]
    hits = sum(artifact.labels[index] == label for index, (label, _) in zip(predicted, rows, strict=True))
    assert hits / len(rows) > 0.85
    recorded = json.loads((job.root / "output" / "data" / "evaluation.json").read_text())
    assert recorded["dataset"] == {"item_count": 48, "channel": "test"}
    scores = recorded["multiclass_classification_metrics"]
    assert scores["accuracy"]["value"] == pytest.approx(hits / len(rows))


def test_confusion_matrix_agrees_with_the_evaluation(job):
    """Its sum is the number of test texts, its diagonal the right ones."""
    folder = job.root / "output" / "data"
    with (folder / "confusion_matrix.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[1:] == [row[0] for row in rows] == list(CLASS_NAMES[:CLASSES])
    counts = [[int(cell) for cell in row[1:]] for row in rows]
    scores = json.loads((folder / "evaluation.json").read_text())["multiclass_classification_metrics"]
    assert sum(map(sum, counts)) == 48
    assert sum(counts[i][i] for i in range(CLASSES)) / 48 == pytest.approx(scores["accuracy"]["value"])


def test_the_outputs_hold_a_copy_of_training_json(job):
    """So that its origin is known without the weights: all but what only serving needs, texts among it."""
    copied, own = (
        json.loads((job.root / folder / "training.json").read_text()) for folder in ("output/data", "model")
    )
    assert copied["run_fingerprint"]
    assert {name: own[name] for name in copied} == copied
    assert own.keys() - copied.keys() == {"labels", "page_examples", "pad_token_id", "probes"}


def test_training_json_says_how_the_model_was_made(job):
    """Metrics of both channels, the settings as they were understood, steps and versions."""
    info = load_artifact(job.root / "model").info
    assert info["metrics"]["test"]["texts"] == info["metrics"]["validation"]["texts"] == 48
    assert info["hyperparameters"]["layer_decay"] == 0.95
    assert info["hyperparameters"]["num_train_epochs"] == 20
    assert info["steps"] == 20 * 12
    assert 0 < info["best_step"] <= info["steps"]
    assert info["data"]["train_texts"] == 96
    assert info["versions"]["torch"] == torch.__version__
    assert info["max_seq_length"] == 80
    assert info["floor"]["trained_on"] == 96
    assert info["floor"]["test"]["texts"] == 48
    assert info["floor"]["test"]["accuracy"] > info["floor"]["test"]["commonest_class_accuracy"]


def test_the_page_gets_the_examples_asked_for(job):
    """They are validation texts, one of each class in turn; the log says that they can be read now."""
    info = load_artifact(job.root / "model").info
    with (job.root / "input" / "data" / "validation" / "validation.csv").open(newline="") as file:
        class_of = {text: int(number) for number, _, text in csv.reader(file)}
    assert [class_of[text] for text in info["page_examples"]] == [1, 2, 3, 1]
    assert "page_examples=4: the artifact holds 4 validation texts" in job.outcome.log
    assert not any(text in job.outcome.log for text in info["page_examples"])


def test_log_tells_what_launchers_look_for(job):
    """Steps, evaluations and final scores stand in the log as name=value pairs in plain decimals."""
    pairs = dict(re.findall(r"(\w+)=(-?[0-9.]+)(?=\s|$)", job.outcome.log))
    for name in ("train_loss", "learning_rate", "eval_accuracy", "test_accuracy", "validation_macro_f1"):
        float(pairs[name])
    assert int(pairs["step"]) == 240
    assert not re.search(r"=\S*\d[eE][+-]\d", job.outcome.log)
    assert re.search(r"train: 96 texts, \d+ tokens on average, \d+\.\d % cut at 80 tokens", job.outcome.log)


@pytest.mark.parametrize(
    ("architecture", "truncation"),
    [("roberta", "windows"), ("distilbert", "head_tail"), ("electra", "windows")],
)
def test_other_encoders_train_too(tmp_path, architecture, truncation, capsys):
    """The same job on another family of encoders, texts cut otherwise, with a split of the data, encoder frozen."""
    settings = {
        "num_train_epochs": "1",
        "truncation": truncation,
        "max_seq_length": "16",
        "freeze_encoder": "true",
    }
    root = make_ml_root(tmp_path / "ml", hyperparameters=settings, rows=24, architecture=architecture)
    for channel in ("validation", "test"):
        (root / "input" / "data" / channel / f"{channel}.csv").unlink()
        (root / "input" / "data" / channel).rmdir()
    (root / "input" / "config" / "inputdataconfig.json").write_text("{}")
    outcome = train_in_process(root, capsys)
    assert (outcome.code, outcome.failure) == (0, ""), outcome.log
    artifact = load_artifact(root / "model")
    assert artifact.model.config.model_type == architecture
    assert artifact.info["truncation"] == truncation
    assert ("windows of at most 16 tokens" in outcome.log) == (truncation == "windows")
    recorded = json.loads((root / "output" / "data" / "evaluation.json").read_text())
    assert recorded["dataset"] == {"item_count": 3, "channel": "validation"}


def test_same_job_gives_the_same_model(tmp_path, capsys):
    """Two jobs of equal input, on one core each, leave the same weights to the bit."""
    weights = []
    for name in ("one", "two"):
        root = make_ml_root(tmp_path / name, hyperparameters={"num_train_epochs": "1"}, rows=24)
        assert train_in_process(root, capsys).code == 0
        weights.append((root / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
