"""The real training job in processes that are forked where torch and transformers are loaded already: in a second."""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.train_process import failure_of, one_core

_KILLER = Path(__file__).parent / "faulty_moment" / "sitecustomize.py"
_PRELOADED = ["bert_classifier.training.launch", "support.forked_imports"]


def run_job(root: Path, *, kill_at: str = "", timeout: float = PATIENCE_S) -> int:
    """Run the job of a picture of /opt/ml to its end; return its exit code, -9 if it was killed.

    Args:
        kill_at: the job gets SIGKILL once it logs a message that contains this.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=_job, args=(str(root), kill_at))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(path for path in sys.path if path)
        )  # else nothing is preloaded
        process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"the job in {root} did not end: {log_of(root)}")
    return process.exitcode


def log_of(root: Path) -> str:
    """Return what the last job of a root has logged, and its failure file."""
    return (root / "log").read_text(encoding="utf-8") + failure_of(root)


def _job(root: str, kill_at: str) -> None:
    with (Path(root) / "log").open("wb") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    if kill_at:
        os.environ |= {"SIGNAL_AT": kill_at, "SIGNAL_NUMBER": str(int(signal.SIGKILL))}
        kept = runpy.run_path(str(_KILLER))
        assert kept
    from bert_classifier.training.launch import main

    with (
        one_core(),
        contextlib.redirect_stdout(os.fdopen(1, "w")),
        contextlib.redirect_stderr(os.fdopen(2, "w")),
    ):
        sys.exit(main({**os.environ, "ML_ROOT": root, "HF_HUB_OFFLINE": "1"}))
