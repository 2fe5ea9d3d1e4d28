"""The real training job in processes that are forked where torch and transformers are loaded already: in a second."""

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.train_process import Outcome, failure_of, one_core

TERMINAL = "JOB_TERMINAL"  # a variable: the device that the job writes to, instead of its log
_KILLER = Path(__file__).parent / "faulty_moment" / "sitecustomize.py"
_PRELOADED = ["bert_classifier.training.launch", "support.forked_imports"]


class ForkedJob:
    """A job that runs from its first line on, with what subprocess.Popen offers of its process."""

    def __init__(self, root: Path, environ: Mapping[str, str] | None = None) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._process = context.Process(target=_job, args=(str(root), dict(environ or {})))
        with pytest.MonkeyPatch.context() as patch:
            # Else nothing is preloaded.
            patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
            self._process.start()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, minus the signal's number if one ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once there is one.

        Raises:
            TimeoutExpired: when there is none after so many seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("train", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run_job(root: Path, *, signal_at: str = "", number: int = signal.SIGKILL) -> int:
    """Run the job of a picture of /opt/ml to its end; return its exit code, -9 if it was killed.

    Args:
        signal_at: the job gets signal `number` once what it logs or opens contains this; "" = never.
    """
    job = ForkedJob(root, {"SIGNAL_AT": signal_at, "SIGNAL_NUMBER": str(int(number))} if signal_at else None)
    try:
        return job.wait(PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        job.kill()
        job.wait()
        raise TimeoutError(f"the job in {root} did not end: {log_of(root)}") from error


def train_forked(root: Path, *, signal_at: str = "", number: int = signal.SIGKILL) -> Outcome:
    """Run the job as train_as_process does, for tests that do not look at its first second.

    Args:
        signal_at: the job gets signal `number` once what it logs or opens contains this; "" = never.
    """
    code = run_job(root, signal_at=signal_at, number=number)
    return Outcome(code, failure_of(root), (root / "log").read_text(encoding="utf-8"))


def log_of(root: Path) -> str:
    """Return what the last job of a root has logged, and its failure file."""
    return (root / "log").read_text(encoding="utf-8") + failure_of(root)


def _job(root: str, environ: dict[str, str]) -> None:
    terminal = environ.pop(TERMINAL, "")
    if terminal:
        os.setsid()  # so that it becomes the terminal of this session
    with Path(terminal or f"{root}/log").open("r+b" if terminal else "wb", buffering=0) as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    os.environ |= environ
    tempfile.tempdir = None  # TMPDIR may be another one now
    if "SIGNAL_AT" in environ:
        kept = runpy.run_path(str(_KILLER))
        assert kept
    from bert_classifier.training.launch import main
    from support.forked_ranks import fork_ranks

    fork_ranks()
    with (
        one_core(),
        contextlib.redirect_stdout(os.fdopen(1, "w")),
        contextlib.redirect_stderr(os.fdopen(2, "w")),
    ):
        sys.exit(main({**os.environ, "ML_ROOT": root, "HF_HUB_OFFLINE": "1"}))
