"""The real `train` program, interrupted: signals, the drill, and a restart after the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bert_classifier.model import load_artifact
from fakes import make_ml_root

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {"num_train_epochs": "6", "logging_steps": "1", "checkpoint_interval_seconds": "1"}


@pytest.fixture(scope="module")
def ml_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job of some seconds."""
    return make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=SETTINGS, rows=120)


def start_training(root: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start the program on a folder that stands for /opt/ml."""
    environ = {
        **os.environ,
        "ML_ROOT": str(root),
        "PYTHONPATH": str(REPOSITORY / "container"),
        "OMP_NUM_THREADS": "1",
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "container" / "train")],
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait_for(log: Path, text: bytes, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the program has logged `text`."""
    while text not in log.read_bytes():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_job_with_checkpoint_and_model(
    ml_root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Told to stop, the job exits with 143, without a failure file, and leaves a checkpoint and a loadable model."""
    root = tmp_path / "ml"
    (root / "checkpoints").mkdir(parents=True)
    (root / "input").symlink_to(ml_root / "input")
    process = start_training(root, tmp_path / "log")
    wait_for(tmp_path / "log", b" step=3 ", process)
    process.send_signal(number)
    assert process.wait(60) == 143, (tmp_path / "log").read_text()
    assert not (root / "output" / "failure").exists()
    assert load_artifact(root / "model").info["is_complete"] is False
    assert len(list((root / "checkpoints").glob("checkpoint-*.safetensors"))) >= 1


def test_a_signal_while_importing_ends_the_job_at_once(ml_root: Path, tmp_path: Path) -> None:
    """Before there is anything to save, the job just leaves, with the same code."""
    root = tmp_path / "ml"
    root.mkdir()
    (root / "input").symlink_to(ml_root / "input")
    process = start_training(root, tmp_path / "log")
    while not (root / "model").is_dir():  # made just before torch is imported
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert not (root / "model" / "manifest.json").exists()
    assert b"step=" not in (tmp_path / "log").read_bytes()


def test_without_checkpoint_folder_the_job_trains_and_says_what_that_means(
    ml_root: Path, tmp_path: Path
) -> None:
    """A job without checkpoint configuration is trained, and nothing appears in /opt/ml/checkpoints."""
    root = tmp_path / "ml"
    root.mkdir()
    (root / "input").symlink_to(ml_root / "input")
    process = start_training(root, tmp_path / "log")
    assert process.wait(120) == 0
    assert b"an interruption loses the run" in (tmp_path / "log").read_bytes()
    assert not (root / "checkpoints").exists()


def test_a_finished_job_started_again_only_exports(ml_root: Path, tmp_path: Path) -> None:
    """The second start trains nothing and leaves the same model folder, byte for byte."""
    root = tmp_path / "ml"
    (root / "checkpoints").mkdir(parents=True)
    (root / "input").symlink_to(ml_root / "input")
    folders = []
    for life in ("first", "second"):
        log = tmp_path / life
        assert start_training(root, log).wait(120) == 0, log.read_text()
        folders.append({path.name: path.read_bytes() for path in (root / "model").iterdir()})
        for path in (root / "model").iterdir():
            path.unlink()
    assert folders[0] == folders[1]
    assert b"only exported again" in (tmp_path / "second").read_bytes()
    assert b"train_loss" not in (tmp_path / "second").read_bytes()
    assert json.loads(folders[0]["training.json"])["is_complete"] is True


def drill(ml_root: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the interruption drill on a toy job."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "local_test" / "spot_drill.py"), str(ml_root), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("ranks", ["1", "2,1,3"])
def test_the_drill_ends_with_the_same_model(ml_root: Path, ranks: str) -> None:
    """Through SIGKILLs and SIGTERMs, each life on another number of processes, the model is the undisturbed run's."""
    ended = drill(ml_root, "--kills", "4", "--seed", "3", "--ranks", ranks)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "the same model, bit for bit" in ended.stdout
    assert "5 lives" in ended.stdout


@pytest.mark.parametrize("ranks", ["0", "x", "1,,2", "-1", "65"])
def test_the_drill_refuses_numbers_of_ranks_that_are_none(ml_root: Path, ranks: str) -> None:
    """One sentence, before anything runs."""
    ended = drill(ml_root, f"--ranks={ranks}")
    assert ended.returncode == 2
    assert f"{ranks!r} is not a number from 1 to 64" in ended.stderr
    assert "Traceback" not in ended.stderr
