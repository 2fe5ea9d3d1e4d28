"""The memory that the processes of a job may use: the machine's, or less if their control group has a limit.

Standard library only.
"""

import math
from pathlib import Path

from bert_classifier.job.cgroups import groups_of


def memory_limit(root: Path = Path("/")) -> float:
    """Return the bytes that may be used at most, swap included, whoever uses them now; inf if unknown.

    Args:
        root: folder below which proc and sys are mounted.
    """
    machine = _of_machine(root / "proc" / "meminfo")
    least = min([machine.get("MemTotal", math.inf), *map(_limit_of, groups_of("memory", root))])
    return least + machine.get("SwapTotal", 0.0)


def _of_machine(meminfo: Path) -> dict[str, float]:
    """Return the fields of /proc/meminfo in bytes."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        fields = [(name, value.split()) for name, _, value in (line.partition(":") for line in lines)]
        return {name: 1024.0 * int(value[0]) for name, value in fields if value[1:] == ["kB"]}
    except (OSError, ValueError):
        return {}


def _limit_of(folder: Path) -> float:
    """Return a cgroup's limit (version 2: memory.max; version 1: memory.limit_in_bytes), inf without one."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            limit = (folder / name).read_text(encoding="ascii").strip()
            return math.inf if limit == "max" else int(limit)
        except (OSError, ValueError):
            continue
    return math.inf
