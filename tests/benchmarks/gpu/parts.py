"""Run each part of the record in a process of its own with a time limit. Standard library only.

A failure, a hang or a broken CUDA context costs that part alone, and what it has measured until then is kept.
"""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.gpu.goals import Figure

_ENDED, _FAILED, _OUT_OF_TIME, _NO_TIME = "ended", "failed", "out of time", "no time left"
_LEAST_SECONDS = 5


@dataclasses.dataclass
class Part:
    """What became of a part.

    Attributes:
        outcome: ended, failed, out of time, or no time left.
    """

    name: str
    outcome: str
    seconds: float
    figures: list[Figure]


def run_part(name: str, command: Sequence[str], seconds: float) -> Part:
    """Run a part's command, which gets `--figures FILE`, for at most so many seconds."""
    if seconds < _LEAST_SECONDS:
        return Part(name, _NO_TIME, 0.0, [])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "figures.jsonl")
        path.touch()
        process = subprocess.Popen([*command, "--figures", str(path)], start_new_session=True)
        with _killed_at_end(process):
            try:
                outcome = _FAILED if process.wait(seconds) else _ENDED
            except subprocess.TimeoutExpired:
                outcome = _OUT_OF_TIME
        return Part(name, outcome, time.monotonic() - started, list(_figures_in(path)))


@contextlib.contextmanager
def _killed_at_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process and all that it started, whatever happens here."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _figures_in(path: Path) -> Iterator[Figure]:
    """Yield the figures of a file, a line each; a process that was killed may have left half a line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def note(path: Path, figure: Figure) -> None:
    """Append a figure to a file of figures, and print it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(figure) + "\n")
    print("   " + "  ".join(f"{name}={in_digits(value)}" for name, value in figure.items()), flush=True)


def in_digits(value: object) -> str:
    """Return a value as words, a number with three significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
