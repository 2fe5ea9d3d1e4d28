"""Where an attempt of the interruption drill runs: the program itself, or a container of the image."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 60  # with an engine that makes a container


class Process(Protocol):
    """What the drill asks of a running program; subprocess.Popen is one."""

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired when it takes longer."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal."""


def threads_for(ranks: Sequence[int], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable by which attempts of any of these numbers of processes use as many threads each.

    Only then are bits the same: a process alone would take all cores, and the first attempt decides for those after it.
    """
    told = environ.get("OMP_NUM_THREADS", "")
    share = max(1, len(os.sched_getaffinity(0)) // max(ranks))
    threads = min(share, int(told)) if told.isdecimal() and int(told) else share
    return {"OMP_NUM_THREADS": str(threads)} if len(set(ranks)) > 1 else {}


def launch_program(root: Path, log: Path) -> Process:
    """Start `train` on a folder that stands for /opt/ml."""
    places = {"ML_ROOT": str(root), "PYTHONPATH": str(REPOSITORY / "container"), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(REPOSITORY / "container" / "train")],
            env={**os.environ, **places},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def launch_container(root: Path, log: Path) -> Process:
    """Start a container of the image IMAGE:TAG whose /opt/ml is the folder `root`."""
    return ContainerAttempt(
        root, log, f"{os.environ.get('IMAGE', 'bert-classifier')}:{os.environ.get('TAG', 'cpu')}"
    )


class ContainerAttempt:
    """A container that runs `train`, with the methods of subprocess.Popen that the drill uses."""

    def __init__(self, root: Path, log: Path, image: str) -> None:
        self._name = f"spot-drill-{uuid.uuid4().hex[:12]}"
        data = root / "input" / "data"  # a link, which would lead nowhere in the container
        threads = os.environ.get("OMP_NUM_THREADS")
        options = [
            f"--name={self._name}", f"--user={os.getuid()}:{os.getgid()}", "--env=HF_HUB_OFFLINE=1",
            f"--volume={root}:/opt/ml", f"--volume={data.resolve()}:/opt/ml/input/data:ro",
            *([f"--env=OMP_NUM_THREADS={threads}"] if threads else []),
        ]  # fmt: skip
        if data.is_symlink():
            data.unlink()
            data.mkdir()
        with log.open("wb") as output:
            self._client = subprocess.Popen(  # noqa: S603 - our own image
                ["docker", "run", "--rm", *options, image, "train"],  # noqa: S607
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def poll(self) -> int | None:
        """Return the exit code, negative for SIGKILL; None while it runs."""
        code = self._client.poll()
        return None if code is None else _as_popen_tells(code)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise when it takes longer than `timeout` seconds."""
        return _as_popen_tells(self._client.wait(timeout))

    def send_signal(self, sig: int, /) -> None:
        """Send a signal to the container's first process."""
        command = ["docker", "kill", "--signal", signal.Signals(sig).name, self._name]
        # A container that is still being made cannot be told yet; the client ends when the container has.
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._client.poll() is None and time.monotonic() < deadline:
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:  # noqa: S603
                return
            time.sleep(0.05)


def _as_popen_tells(code: int) -> int:
    """Return an exit code of `docker run` as subprocess.Popen gives that of a program."""
    return -signal.SIGKILL if code == 128 + signal.SIGKILL else code
