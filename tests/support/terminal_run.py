"""The `train` program at a terminal of its own: what it writes there, and Ctrl-C."""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from support.patience import PATIENCE_S

CONTAINER = Path(__file__).parents[2] / "container"


def train_at_terminal(
    root: Path, columns: int, *, stop_at: str = "", environ: Mapping[str, str]
) -> tuple[int, str]:
    """Run the job at a terminal of so many columns; return its exit code and all that it wrote.

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
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        written = _read(terminal, stop_at.encode())
    finally:
        os.close(terminal)  # hangs up, which stops the program
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), written.decode("utf-8", "replace")


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
