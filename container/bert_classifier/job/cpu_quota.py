"""How many cores a process may keep busy: its affinity, or less where its control group has a CPU quota.

Standard library only.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process can keep busy, at least 1.

    A fraction of a core does not count: with more threads than the quota all of them are throttled.

    Args:
        root: the folder that proc and sys are mounted below.
    """
    quota = min(map(_quota_of, _groups(root)), default=math.inf)
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), quota)))


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold a quota for this process: those of its groups and of all their parents.

    A container often sees its own group as the root of the mount, whatever path /proc names.
    """
    cgroup = root / "sys" / "fs" / "cgroup"
    for mount, group in [(cgroup, ""), (cgroup / "cpu", ""), *_own_groups(root)]:
        folder = mount
        yield folder
        for part in Path(group.lstrip("/")).parts:
            folder /= part
            yield folder


def _own_groups(root: Path) -> list[tuple[Path, str]]:
    """Return the mounts and paths of this process' groups by /proc: version 2's, and version 1's for CPUs."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    cgroup = root / "sys" / "fs" / "cgroup"
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    second = [(cgroup, path) for _, controllers, path in groups if not controllers]
    return second + [(cgroup / "cpu", path) for _, names, path in groups if "cpu" in names.split(",")]


def _quota_of(folder: Path) -> float:
    """Return the quota in cores in one group's files (version 2: cpu.max; 1: cpu.cfs_*_us), inf without one."""
    try:
        if (folder / "cpu.max").exists():
            limit, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            limit, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        quota = math.inf if limit.strip() == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
    return quota if quota > 0 else math.inf  # version 1 says -1 where there is none
