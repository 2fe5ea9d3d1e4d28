"""Where the drill runs an attempt: in a process of .venv, or in a container of the image."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parents[2]
_CREATION_SECONDS = 60  # that an engine may need to make a container


class Process(Protocol):
    """What the drill needs of a running program; subprocess.Popen has it all."""

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired after `timeout` seconds."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal."""


@contextlib.contextmanager
def killed_on_interrupt(process: Process) -> Iterator[None]:
    """Kill the program if Ctrl-C ends the drill."""
    try:
        yield
    except KeyboardInterrupt:
        process.send_signal(signal.SIGKILL)
        process.wait()
        raise


def threads_for(ranks: Sequence[int], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that gives every rank as many threads, whatever the number of ranks of its attempt.

    The same bits need that: a rank alone would take all cores, and the first attempt decides for the later ones.
    """
    if len(set(ranks)) == 1:
        return {}
    share = max(1, len(os.sched_getaffinity(0)) // max(ranks))
    asked = environ.get("OMP_NUM_THREADS", "")
    limit = int(asked) if asked.isdecimal() else 0
    return {"OMP_NUM_THREADS": str(min(share, limit or share))}


def launch_program(root: Path, log: Path) -> Process:
    """Start `train` on a folder that stands for /opt/ml."""
    own = {"ML_ROOT": str(root), "PYTHONPATH": str(REPOSITORY / "container"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(REPOSITORY / "container" / "train")]
    with log.open("wb") as output:
        return subprocess.Popen(command, env={**os.environ, **own}, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603


def launch_container(root: Path, log: Path) -> Process:
    """Start `train` in a container of the image IMAGE:TAG, with the folder as its /opt/ml."""
    image = f"{os.environ.get('IMAGE', 'bert-classifier')}:{os.environ.get('TAG', 'cpu')}"
    return ContainerAttempt(root, log, image)


class ContainerAttempt:
    """A container that runs `train`, controlled as a subprocess.Popen."""

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
        command = ["docker", "run", "--rm", *options, image, "train"]
        with log.open("wb") as output:
            self._client = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603

    def poll(self) -> int | None:
        """Return the exit code, negative for SIGKILL; None while it runs."""
        code = self._client.poll()
        return None if code is None else _popen_code(code)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired after `timeout` seconds."""
        return _popen_code(self._client.wait(timeout))

    def send_signal(self, sig: int, /) -> None:
        """Send a signal to the container's first process, once the engine has made the container."""
        command = ["docker", "kill", "--signal", signal.Signals(sig).name, self._name]
        deadline = time.monotonic() + _CREATION_SECONDS
        while self._client.poll() is None and time.monotonic() < deadline:
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:  # noqa: S603
                return
            time.sleep(0.05)


def _popen_code(code: int) -> int:
    """Convert an exit code of `docker run` to that of subprocess.Popen."""
    return -signal.SIGKILL if code == 128 + signal.SIGKILL else code
