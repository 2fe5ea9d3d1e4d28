"""The `train` program on a picture of /opt/ml: in this process, or as the process that it is."""

import contextlib
import dataclasses
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.patience import PATIENCE_S

CONTAINER = Path(__file__).parents[2] / "container"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended: exit code, failure file (empty when there is none), and the log."""

    code: int
    failure: str
    log: str


def train_in_process(root: Path, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Run the job here and undo what it does to the process; fast, since torch is loaded already."""
    from bert_classifier.training.launch import main

    capsys.readouterr()
    with _as_before(), one_core():
        code = main({"ML_ROOT": str(root)})
    captured = capsys.readouterr()
    return Outcome(code, failure_of(root), captured.out + captured.err)


def train_as_process(
    root: Path,
    *,
    container: Path = CONTAINER,
    environ: Mapping[str, str] | None = None,
    timeout: float = PATIENCE_S,
) -> Outcome:
    """Run the `train` executable of a container folder, without network and on one core."""
    variables = {**os.environ, "ML_ROOT": str(root), "PYTHONPATH": str(container), "HF_HUB_OFFLINE": "1"}
    with one_core():
        ended = subprocess.run(
            [sys.executable, str(container / "train")],
            env={**variables, **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    return Outcome(ended.returncode, failure_of(root), ended.stdout)


def failure_of(root: Path) -> str:
    """Return the content of the failure file, or nothing."""
    path = root / "output" / "failure"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Compute on one core, here and in processes started: on busy machines a second one mostly waits."""
    cores = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{os.getpid()}").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(cores)[worker % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Give the package's logger and the signals back to the tests."""
    package = logging.getLogger("bert_classifier")
    logged = package.handlers[:], package.level, package.propagate
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        package.handlers[:], package.level, package.propagate = logged
        for number, handler in handlers.items():
            signal.signal(number, handler)
