"""CPU time and memory of a process and all its descendants, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a tree has taken: its own and that of children that have ended, user's and system's."""
    return sum(_ticks(process) for process in _tree(pid)) / _TICKS_PER_S


def pss_mb(pid: int) -> float:
    """Return a tree's memory in MB; a page that n processes share counts once in all."""
    return sum(_pss_kib(process) for process in _tree(pid)) * 1024 / 1e6


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(int(child))


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
