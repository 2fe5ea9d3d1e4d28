"""A job that goes on from a classifier: its head is kept, class by class, also after SIGKILL."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.encoders import make_encoder
from support.fakes import make_ml_root
from support.forked_jobs import log_of, run_job

SETTINGS = {"num_train_epochs": "4", "logging_steps": "1", "checkpoint_interval_seconds": "1"}
TURNED = ("Gamma", "Alpha", "Beta")  # the data have Alpha, Beta, Gamma


def job(folder: Path, **settings: str) -> Path:
    """Return a toy job with a checkpoint folder, whose encoder is a classifier of the same classes in another order."""
    root = make_ml_root(folder / "ml", hyperparameters={**SETTINGS, **settings}, rows=120)
    (root / "checkpoints").mkdir()
    model = root / "input" / "data" / "model"
    shutil.rmtree(model)
    labels: dict[str, Any] = {
        "id2label": dict(enumerate(TURNED)),
        "label2id": {name: i for i, name in enumerate(TURNED)},
    }
    make_encoder(model, "roberta", head="classifier", num_labels=3, **labels)
    return root


def run(root: Path) -> str:
    """Run the job to its end; return its log."""
    assert run_job(root) == 0, log_of(root)
    return log_of(root)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished job that has kept the head."""
    root = job(tmp_path_factory.mktemp("whole"), keep_head="true")
    run(root)
    return root


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same job, killed after its first checkpoint: to copy."""
    root = job(tmp_path_factory.mktemp("killed"), keep_head="true")
    assert run_job(root, signal_at="checkpoint at step") == -9, log_of(root)
    return root


def test_a_killed_job_goes_on_with_the_kept_head(whole: Path, killed: Path, tmp_path: Path) -> None:
    """To the bits of the undisturbed one; its model goes on with its own head without being told to."""
    assert (
        "(3 classes: Gamma, Alpha, Beta) is kept, since the data have the same classes, in the order of"
        in log_of(whole)
    )
    root = Path(shutil.copytree(killed, tmp_path / "ml"))
    assert "resuming from step" in run(root)
    weights = [(each / "model" / "model.safetensors").read_bytes() for each in (whole, root)]
    assert weights[0] == weights[1]
    assert load_artifact(whole / "model").info["encoder"]["head"] == "reordered"

    further = going_on(tmp_path / "further", whole, num_train_epochs="1")
    assert "(3 classes: Alpha, Beta, Gamma) is kept, since the data have the same classes (" in run(further)
    assert load_artifact(further / "model").info["encoder"]["head"] == "kept"


def going_on(folder: Path, former: Path, **settings: str) -> Path:
    """Return a job whose encoder is the model of a former one."""
    root = job(folder, **settings)
    model = root / "input" / "data" / "model"
    shutil.rmtree(model)
    shutil.copytree(former / "model", model)
    return root


def test_a_head_is_kept_or_replaced_as_the_log_says(whole: Path, tmp_path: Path) -> None:
    """What is set by hand replaces it; the same settings once more go on with head and layer, from where they are."""
    one_epoch = {"num_train_epochs": "1", "pooling": "mean"}
    second = going_on(tmp_path / "second", whole, **one_epoch)
    log = run(second)
    assert "is not kept: pooling=mean replaces it" in log
    assert "classifier.out_proj starts as a logistic regression" in log
    third = going_on(tmp_path / "third", second, **one_epoch)
    log = run(third)
    assert "is kept, since the data have the same classes" in log
    assert "starts as a logistic regression" not in log
    info = load_artifact(third / "model").info
    assert info["encoder"]["head"] == "kept"
    assert "head_init" not in info["automatic_hyperparameters"]
    fourth = going_on(tmp_path / "fourth", second, head_init="logistic_regression", num_train_epochs="1")
    log = run(fourth)
    assert "is not kept: head_init=logistic_regression replaces it" in log
    assert "starts as a logistic regression" in log


def test_another_start_is_another_run(killed: Path, tmp_path: Path) -> None:
    """Its checkpoints are not resumed: a head that is kept, and one that begins anew."""
    root = Path(shutil.copytree(killed, tmp_path / "ml"))
    path = root / "input" / "config" / "hyperparameters.json"
    path.write_text(path.read_text().replace('"true"', '"false"'))
    log = run(root)
    assert "is not kept: its last layer begins anew" in log
    assert "resuming from step" not in log
    assert "loaded_head" in log
