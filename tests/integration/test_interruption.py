"""The real `train` program, interrupted: signals, the drill, and a restart after the end."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import spot_drill.drill
from bert_classifier.artifact.artifact import load_artifact
from spot_drill.drill import Drill
from spot_drill.engines import Process
from support.fakes import make_ml_root
from support.forked_jobs import ForkedJob, log_of, run_job
from support.patience import PATIENCE_S
from support.train_cluster import make_root, signal_at, started

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {"num_train_epochs": "6", "logging_steps": "1", "checkpoint_interval_seconds": "1"}


@pytest.fixture(scope="module")
def ml_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job of some seconds."""
    return make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=SETTINGS, rows=120)


@pytest.fixture
def root(ml_root: Path, tmp_path: Path) -> Path:
    """Return a root of the test's own for the job, with a checkpoint folder."""
    root = tmp_path / "ml"
    (root / "checkpoints").mkdir(parents=True)
    (root / "input").symlink_to(ml_root / "input")
    return root


STOPS = [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGHUP))]


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_the_job_with_checkpoint_and_model(root: Path, number: signal.Signals) -> None:
    """Told to stop, the job exits with 143, without a failure file, and leaves a checkpoint and a loadable model."""
    is_forked = number != signal.SIGTERM
    with started([root], environ=signal_at("step=3 ", number), is_forked=is_forked) as (host,):
        assert host.process.wait(PATIENCE_S) == 143, host.log.read_text()
    assert not (root / "output" / "failure").exists()
    assert load_artifact(root / "model").info["is_complete"] is False
    assert len(list((root / "checkpoints").glob("checkpoint-*.safetensors"))) >= 1


def test_a_signal_while_importing_ends_the_job_at_once(root: Path) -> None:
    """Before there is anything to save, the job just leaves, with the same code."""
    with started([root]) as (host,):
        while not (root / "model").is_dir():  # made just before torch is imported
            time.sleep(0.005)
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(PATIENCE_S) == 143
    assert not (root / "model" / "manifest.json").exists()
    assert "step=" not in host.log.read_text()


@pytest.mark.slow
def test_without_checkpoint_folder_the_job_trains_and_says_what_that_means(
    ml_root: Path, tmp_path: Path
) -> None:
    """A job without checkpoint configuration is trained, and nothing appears in /opt/ml/checkpoints."""
    root = make_root(ml_root, tmp_path / "ml", num_train_epochs="1")
    (root / "checkpoints").rmdir()
    assert run_job(root) == 0, log_of(root)
    assert "an interruption loses the run" in log_of(root)
    assert not (root / "checkpoints").exists()


def test_a_finished_job_started_again_only_exports(ml_root: Path, tmp_path: Path) -> None:
    """The second start trains nothing and leaves the same model folder, byte for byte."""
    root = make_root(ml_root, tmp_path / "ml", num_train_epochs="2")
    folders = []
    for _ in range(2):
        assert run_job(root) == 0, log_of(root)
        folders.append({path.name: path.read_bytes() for path in (root / "model").iterdir()})
        for path in (root / "model").iterdir():
            path.unlink()
    assert folders[0] == folders[1]
    assert "re-exporting the model" in log_of(root)
    assert "train_loss" not in log_of(root)
    assert json.loads(folders[0]["training.json"])["is_complete"] is True


def drill(ml_root: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the interruption drill on a toy job."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "local_test" / "spot_drill"), str(ml_root), *options],
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
        capture_output=True,
        text=True,
        check=False,
    )


def fork(root: Path, log: Path) -> Process:
    """Start the job where torch is loaded already: it is the drill that is looked at here."""
    assert log == root / "log"
    log.touch()
    return ForkedJob(root)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a drill within this process fork its jobs."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(spot_drill.drill, "launch_program", fork)


@pytest.mark.timeout(1200)  # seconds; on a busy machine it may take further runs
def test_the_drill_ends_with_the_same_model(ml_root: Path) -> None:
    """Each interruption asked for ended a living program between two steps; the model is the undisturbed run's."""
    ended = drill(ml_root, "--kills", "3", "--seed", "3")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_same_model(ended.stdout, kills=3)


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
def test_the_drill_ends_with_the_same_model_on_one_rank_or_two(
    ml_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same where each attempt draws its number of ranks."""
    status = spot_drill.drill.main([str(ml_root), "--kills=2", "--seed=3", "--ranks=1,2"])
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert_same_model(shown, kills=2)


def assert_same_model(shown: str, kills: int) -> None:
    """The drill's table has as many hits as were asked for, and below it is the same model."""
    rows = [line.split() for line in shown.splitlines() if re.match(r" +\d+  \S", line)]
    hits = [row for row in rows if row[4] == "training"]
    assert {(row[1], row[2]) for row in hits} <= {("SIGKILL", "-9"), ("SIGTERM", "143")}
    assert len(hits) >= kills
    assert all(0 < int(row[6]) < 90 for row in hits)
    assert any(0 < int(row[5]) < 90 for row in rows if row[5] != "–")
    assert f"{kills} of {kills} hit training" in shown
    assert shown.endswith("the same model, bit for bit\n")


def test_a_drill_that_is_interrupted_leaves_nothing(ml_root: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the drill and the program that it has started, in one sentence."""
    work_dir = tmp_path / "attempts"
    work_dir.mkdir()
    command = [
        sys.executable,
        str(REPOSITORY / "local_test" / "spot_drill"),
        str(ml_root),
        f"--work-dir={work_dir}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not any(path.stat().st_size for path in work_dir.glob("*/*/log")):
            assert running.poll() is None
            time.sleep(0.02)
        programs = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert errors == "The drill was interrupted; its attempts are removed.\n"
    assert list(work_dir.iterdir()) == []
    assert programs
    assert not any(Path(f"/proc/{child}").exists() for child in programs)


def run_drill(ml_root: Path, work_dir: Path, launch: Callable[[Path, Path], Process], kills: int) -> int:
    """Run the drill with another way to start the program; return its exit status."""
    work_dir.mkdir()
    return Drill(ml_root, work_dir, kills, 0, launch).run()


@pytest.mark.slow
def test_the_drill_tells_a_model_that_differs_by_a_bit(
    ml_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that resumes from other numbers than were saved, in a checkpoint that verifies, is not called the same."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert run_drill(ml_root, tmp_path / "drill", launch_on_another_bit, kills=2) == 1
    output = capsys.readouterr().out
    assert "THE MODELS DIFFER" in output
    assert "the same model" not in output


def launch_on_another_bit(root: Path, log: Path) -> Process:
    """Start the program after one bit of a weight has changed in each checkpoint, which verifies all the same."""
    for path in (root / "checkpoints").glob("checkpoint-*.safetensors"):
        tensors = load_file(path)
        name = next(name for name in tensors if name.endswith("classifier.weight"))
        tensors[name].view(torch.int32).view(-1)[0] ^= 1
        content = bytearray(path.read_bytes())
        size = int.from_bytes(content[:8], "little")
        begin, end = json.loads(content[8 : 8 + size])[name]["data_offsets"]
        content[8 + size + begin : 8 + size + end] = tensors[name].numpy().tobytes()
        path.write_bytes(bytes(content[:-32]) + hashlib.sha256(content[:-32]).digest())
    return fork(root, log)


def launch_too_late(root: Path, log: Path) -> Process:
    """Start the program and give it out only when it has ended: whoever sends a signal hits nothing."""
    process = fork(root, log)
    process.wait()
    return process


def launch_without_checkpoints(root: Path, log: Path) -> Process:
    """Start the program on an empty checkpoint folder."""
    for path in (root / "checkpoints").iterdir():
        path.unlink()
    return fork(root, log)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launch", "kills", "verdict"),
    [
        (launch_too_late, 1, "Only 0 of 1 interruptions hit training"),
        (launch_without_checkpoints, 2, "No attempt resumed from a checkpoint"),
    ],
)
def test_the_drill_claims_nothing_that_it_has_not_shown(
    ml_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    launch: Callable[[Path, Path], Process],
    kills: int,
    verdict: str,
) -> None:
    """Signals that met no living program, and attempts that all began anew, are reported; the drill has not passed."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for limit in ("_RUNS", "_RUNS_TO_RESUME"):
        monkeypatch.setattr(spot_drill.drill, limit, 2)
    assert run_drill(ml_root, tmp_path / "drill", launch, kills) == 3
    shown = capsys.readouterr().out
    assert verdict in shown
    assert "the same model" not in shown


@pytest.mark.usefixtures("forking")
def test_a_run_too_short_for_the_interruptions_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three steps cannot be interrupted five times: the drill says so before it interrupts anything."""
    job = make_ml_root(tmp_path / "ml", hyperparameters={"num_train_epochs": "1"}, rows=24)
    assert spot_drill.drill.main([str(job), "--kills", "5"]) == 2
    shown = capsys.readouterr()
    assert "The run has 3 step(s), of which 2 can be interrupted" in shown.err
    assert "num_train_epochs" in shown.err
    assert "attempt" not in shown.out


@pytest.mark.parametrize(
    "option", ["--ranks=0", "--ranks=x", "--ranks=1,,2", "--ranks=-1", "--ranks=65", "--kills=0"]
)
def test_the_drill_refuses_numbers_that_are_none(ml_root: Path, option: str) -> None:
    """One sentence, before anything runs; a drill without an interruption would prove nothing."""
    ended = drill(ml_root, option)
    assert ended.returncode == 2
    assert f"{option.partition('=')[2]!r} is not a number from 1 to" in ended.stderr
    assert "Traceback" not in ended.stderr
