"""How a job ends: exit code, failure file and log for each family of errors, and without loading torch if it can."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bert_classifier.data import forecast
from bert_classifier.errors import ContainerError, PlatformError, RequestError, UserError
from bert_classifier.training import prepare, worker
from bert_classifier.training.signals import Stopped
from support.clear_text import assert_clear_text
from support.patience import PATIENCE_S
from support.train_process import CONTAINER, Outcome, train_in_process


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the least picture of /opt/ml that passes the first checks, with a failure file of an earlier run."""
    (tmp_path / "input" / "data" / "train").mkdir(parents=True)
    (tmp_path / "input" / "data" / "train" / "train.csv").write_text("a,a text\nb,another\n")
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "failure").write_text("UserError: an earlier run's.")
    return tmp_path


def run_that_raises(
    error: BaseException | None,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Outcome:
    """Run the program with data that need no reading and a worker that ends so."""

    def run(*_: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(prepare, "prepare", lambda *_: None)
    monkeypatch.setattr(worker, "run", run)
    return train_in_process(root, capsys)


FAMILIES = [
    (UserError("The data are odd.", "Mend them."), 2, "UserError: The data are odd. Mend them."),
    (RequestError(400, "x", "Odd.", "Mend."), 2, "UserError: Odd. Mend."),
    (PlatformError("A mount is gone.", "Look."), 3, "PlatformError: A mount is gone. Look."),
    (MemoryError(), 3, "PlatformError: The instance ran out of memory. Use a larger instance"),
    (
        torch.OutOfMemoryError("CUDA out of memory. Tried"),
        3,
        "PlatformError: The GPU ran out of memory. Set a smaller max_tokens_per_micro_batch",
    ),
    (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        3,
        "PlatformError: The instance ran out of memory.",
    ),
    (
        OSError(errno.ENOSPC, "No space left", "/x/y"),
        3,
        "PlatformError: The disk is full at /x/y. Give the job",
    ),
    (OSError(errno.EDQUOT, "Quota"), 3, "PlatformError: The disk is full. Give the job a larger volume"),
    (OSError(errno.EFBIG, "Too large"), 3, "PlatformError: The disk is full."),
    (OSError(errno.EROFS, "Read-only file system", "/m"), 3, "PlatformError: A disk failed at /m: Read-only"),
    (OSError(errno.EIO, "Input/output error"), 3, "PlatformError: A disk failed: Input/output error."),
    (
        PermissionError(errno.EACCES, "Permission denied", "/m"),
        3,
        "PlatformError: Access was denied at /m: Per",
    ),
    (ContainerError("Odd.", "Look."), 1, ""),
    (
        ZeroDivisionError("division by zero"),
        1,
        "InternalError: ZeroDivisionError: division by zero This is a bug",
    ),
    (RuntimeError("shape mismatch"), 1, "InternalError: RuntimeError: shape mismatch"),
    (FileNotFoundError(errno.ENOENT, "No such file", "z"), 1, "InternalError: FileNotFoundError:"),
]


@pytest.mark.parametrize(("error", "code", "start"), FAMILIES, ids=lambda value: type(value).__name__)
def test_each_family_has_its_code_and_text(root, monkeypatch, capsys, error, code, start):
    """The failure file says family, cause and remedy; the log says the same, and a traceback for bugs alone."""
    outcome = run_that_raises(error, root, monkeypatch, capsys)
    assert outcome.code == code
    assert outcome.failure.startswith(start)
    assert 0 < len(outcome.failure) <= 1024
    assert outcome.failure in outcome.log
    assert ("Traceback" in outcome.log) == (not isinstance(error, ContainerError) and code == 1)
    assert "Traceback" not in outcome.failure


def test_success_removes_an_old_failure_file(root, monkeypatch, capsys):
    """A job that went well leaves no word of one that did not."""
    outcome = run_that_raises(None, root, monkeypatch, capsys)
    assert (outcome.code, outcome.failure) == (0, "")


def test_a_stop_is_neither_success_nor_failure(root, monkeypatch, capsys):
    """143, and no failure file: the platform starts the job again."""
    outcome = run_that_raises(Stopped("SIGTERM"), root, monkeypatch, capsys)
    assert (outcome.code, outcome.failure) == (143, "")
    assert "stopped by SIGTERM" in outcome.log


def test_failure_that_cannot_be_written_is_still_logged(root, monkeypatch, capsys):
    """Where output is no folder, the reason is in the log, and so is why there is no file."""
    (root / "output" / "failure").unlink()
    (root / "output" / "failure").mkdir()
    outcome = run_that_raises(UserError("Odd.", "Mend."), root, monkeypatch, capsys)
    assert outcome.code == 2
    assert "UserError: Odd. Mend." in outcome.log
    assert f"cannot write {root / 'output' / 'failure'}" in outcome.log


def test_long_cause_of_a_bug_is_cut(root, monkeypatch, capsys):
    """However long, the file keeps within what SageMaker shows."""
    outcome = run_that_raises(RuntimeError("y" * 5000), root, monkeypatch, capsys)
    assert len(outcome.failure) <= 1024
    assert outcome.failure.endswith("report it with the log of this job.")


BEFORE_TORCH = {
    "unknown name": ({"learning_rat": "1"}, None, "did you mean learning_rate?"),
    "several at once": ({"seed": "x", "epochs": "0"}, None, "seed='x' is not a whole number"),
    "no tree": ({}, "input", "There is no folder"),
    "model is a file": ({}, "model", "Cannot write to"),
}


@pytest.mark.parametrize("name", BEFORE_TORCH)
def test_what_can_be_checked_early_is_reported_without_torch(root, name):
    """Settings, tree and mounts are checked in a fresh process before a second goes into loading torch."""
    hyperparameters, spoilt, expected = BEFORE_TORCH[name]
    (root / "input" / "config").mkdir()
    (root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    if spoilt == "input":
        (root / "input").rename(root / "elsewhere")
    elif spoilt:
        (root / spoilt).write_text("a file where a folder should be")
    code = (
        "import sys\nfrom bert_classifier.training.launch import main\n"
        f"code = main({{'ML_ROOT': {str(root)!r}}})\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\nsys.exit(code)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(CONTAINER)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == (3 if spoilt == "model" else 2), ended.stderr
    failure = (root / "output" / "failure").read_text()
    assert expected in failure
    assert_clear_text(failure)
    assert failure in ended.stdout
    assert ended.stderr == ""


def test_data_that_cannot_fit_end_the_job_before_they_are_read(root, monkeypatch, capsys):
    """The forecast comes before any work; here for a machine of a megabyte."""
    monkeypatch.setattr(forecast, "memory_limit", lambda: 1e6)
    ended = run_that_raises(RuntimeError("The data were read."), root, monkeypatch, capsys)
    assert ended.code == 3
    assert ended.failure.startswith(
        "PlatformError: The job may use 1.0 MB of memory, about 2 rows need 320.0 MB"
    )
    assert "about 2 rows need about 0 MB of temporary files and 320 MB of memory" in ended.log
