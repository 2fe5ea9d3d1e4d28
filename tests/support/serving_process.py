"""The real `container/serve` as a process of its own on a free loopback port, for tests and benchmarks."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Self

from support.free_port import free_port
from support.patience import PATIENCE_S

CONTAINER = Path(__file__).parents[2] / "container"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """Return the CPU time that all threads of a process have taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


class ServingProcess:
    """A running server; use as a context manager.

    Args:
        ml_root: the folder that holds `model`.
        log_file: gets everything the server writes.
        user: numeric id to run as; by default the caller's.
        settings: environment variables of the server, in lower case.
    """

    def __init__(self, ml_root: Path, log_file: Path, user: int | None = None, **settings: object) -> None:
        self.port = free_port()
        self._log_file = log_file
        environ = {
            "PATH": os.defpath,
            "PYTHONPATH": str(CONTAINER),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ML_ROOT": str(ml_root),
            "SERVING_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        with log_file.open("wb") as log:
            self._process = self._start(environ, log, user)

    def _start(self, environ: dict[str, str], log: IO[bytes], user: int | None) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(CONTAINER / "serve")]
        return subprocess.Popen(
            command,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            user=user,
            cwd="/",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self._log_file.read_text(encoding="utf-8")

    @property
    def workers(self) -> list[int]:
        """Process ids of the parent's children."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(number) for number in children.read_text().split()]

    @property
    def worker(self) -> int:
        """Process id of the worker, once there is one."""
        while not (found := self.workers):
            if self._process.poll() is not None:
                raise RuntimeError(f"the server has ended, log: {self.log}")
            time.sleep(0.01)
        return found[0]

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send one request on a connection of its own; return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, names)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def invoke(
        self, body: bytes | str, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """Send a request to /invocations."""
        return self.ask("POST", "/invocations", body, Content_Type=content_type, **headers)

    def ping(self) -> int:
        """Return the status of /ping, 0 when nobody listens."""
        try:
            return self.ask("GET", "/ping")[0]
        except OSError:
            return 0

    def wait_until_ready(self, seconds: float = PATIENCE_S) -> set[int]:
        """Ping until the answer is 200; return all the answers there were before.

        Raises:
            TimeoutError: with the log, when the server ends or is not ready in time.
        """
        seen = set()
        until = time.monotonic() + seconds
        while (status := self.ping()) != 200:
            seen.add(status)
            if self._process.poll() is not None or time.monotonic() > until:
                raise TimeoutError(f"exit code {self._process.poll()}, log: {self.log}")
            time.sleep(0.05)
        return seen

    def wait_until_it_listens(self) -> None:
        """Return when a connection is accepted."""
        while not self.ping():
            time.sleep(0.02)

    @property
    def has_ended(self) -> bool:
        """Whether the parent process is gone."""
        return self._process.poll() is not None

    def catches(self, number: signal.Signals) -> bool:
        """Say whether the parent process has a handler for a signal."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(mask, 16) >> (number - 1) & 1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent process."""
        self._process.send_signal(number)

    def exit_code(self, seconds: float) -> int:
        """Wait for the end and return the exit code."""
        return self._process.wait(seconds)
