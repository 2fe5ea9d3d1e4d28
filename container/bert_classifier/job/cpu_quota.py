"""How many cores a process may keep busy: its affinity, or less where its control group has a quota of CPU time.

Standard library only.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process can keep busy, at least 1.

    A part of a core does not count: threads beyond the quota spend the time of the others, which then stand still for
    the rest of the period.

    Args:
        root: what proc and sys are mounted below.
    """
    own = len(os.sched_getaffinity(0))
    return max(1, math.floor(min(own, _quota(root))))


def _quota(root: Path) -> float:
    """Return the cores' worth of time that the control groups grant, inf without limit: the least of all above."""
    return min(map(_quota_of, _groups(root)), default=math.inf)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold a quota for this process: those of its groups, and of all groups around them.

    A container often sees its own group as the root of the mount, whatever /proc says of the path.
    """
    cgroup = root / "sys" / "fs" / "cgroup"
    for mount, group in [(cgroup, ""), (cgroup / "cpu", ""), *_own_groups(root)]:
        folder = mount
        yield folder
        for part in Path(group.lstrip("/")).parts:
            folder /= part
            yield folder


def _own_groups(root: Path) -> list[tuple[Path, str]]:
    """Return the mounts and paths of the groups that /proc says this process is in: of version 2, and of 1 for CPUs."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    cgroup = root / "sys" / "fs" / "cgroup"
    told = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    second = [(cgroup, path) for _, controllers, path in told if not controllers]
    return second + [(cgroup / "cpu", path) for _, names, path in told if "cpu" in names.split(",")]


def _quota_of(folder: Path) -> float:
    """Return the quota that one group's files name (version 2: cpu.max; 1: cpu.cfs_*_us), inf without one."""
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
