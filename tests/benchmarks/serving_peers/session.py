"""CPU time and memory of all processes of a session, from /proc: of a server that was started in one of its own."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(session: int) -> float:
    """Return the CPU time taken so far, also by children that have ended, user's and system's."""
    return _sum(_ticks, session) / _TICKS_PER_S


def pss_mb(session: int) -> float:
    """Return the memory in MB; of a page that n processes share, each counts its nth part."""
    return _sum(_pss_kib, session) * 1024 / 1e6


def _sum(measure: Callable[[Path], int], session: int) -> int:
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if os.getsid(int(process.name)) == session:
                found += measure(process)
    return found


def _ticks(process: Path) -> int:
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime


def _pss_kib(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
