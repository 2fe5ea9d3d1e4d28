"""The `train` program at a terminal of its own: what it writes there, and Ctrl-C."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from support.forked_jobs import TERMINAL, ForkedJob
from support.patience import PATIENCE_S

CONTAINER = Path(__file__).parents[2] / "container"


def train_at_terminal(
    root: Path, columns: int, *, stop_at: str = "", environ: Mapping[str, str]
) -> tuple[int, str]:
    """Run the program at a terminal of so many columns; return its exit code and all that it wrote.

    Args:
        stop_at: words after which Ctrl-C is typed; "" = never.
        environ: variables beside those of the tests.
    """
    variables = {
        **os.environ,
        "ML_ROOT": str(root),
        "PYTHONPATH": str(CONTAINER),
        "HF_HUB_OFFLINE": "1",
        **environ,
    }
    process, terminal = pty.fork()
    if not process:
        os.execve(sys.executable, [sys.executable, str(CONTAINER / "train")], variables)
    try:
        _set_columns(terminal, columns)
        written = _read(terminal, stop_at.encode())
    finally:
        os.close(terminal)  # hangs up, which stops the program
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), written.decode("utf-8", "replace")


def fork_at_terminal(
    root: Path, columns: int, *, stop_at: str = "", environ: Mapping[str, str]
) -> tuple[int, str]:
    """Do the same with a job that is forked where torch is loaded."""
    terminal, of_job = pty.openpty()
    try:
        _set_columns(terminal, columns)
        job = ForkedJob(root, {**environ, TERMINAL: os.ttyname(of_job)})
        select.select([terminal], [], [], PATIENCE_S)  # now the job has opened it
        os.close(of_job)
        written = _read(terminal, stop_at.encode())
    finally:
        os.close(terminal)
    return job.wait(PATIENCE_S), written.decode("utf-8", "replace")


def _set_columns(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def _read(terminal: int, stop_at: bytes) -> bytes:
    """Return what is written until the program ends."""
    written, deadline = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            written += os.read(terminal, 65536)
        except OSError:  # the program has ended
            return written
        if stop_at and stop_at in written:
            os.write(terminal, b"\x03")
            stop_at = b""
    raise TimeoutError(signal.strsignal(signal.SIGALRM), written.decode("utf-8", "replace"))
