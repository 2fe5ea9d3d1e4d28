"""The number of cores that a process may use: its affinity, or less if its control group has a CPU quota.

Standard library only.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that this process can use, at least 1.

    Round down: with more threads than the quota, all of them are throttled.

    Args:
        root: folder below which proc and sys are mounted.
    """
    quota = min(map(_quota_of, _groups(root)), default=math.inf)
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), quota)))


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold a quota for this process: those of its control groups and all their parents.

    In a container, its own group is often the root of the mount, whatever path /proc gives.
    """
    cgroup = root / "sys" / "fs" / "cgroup"
    for mount, group in [(cgroup, ""), (cgroup / "cpu", ""), *_own_groups(root)]:
        folder = mount
        yield folder
        for part in Path(group.lstrip("/")).parts:
            folder /= part
            yield folder


def _own_groups(root: Path) -> list[tuple[Path, str]]:
    """Return the mounts and paths of this process's cgroups: version 2, and version 1's cpu controller."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    cgroup = root / "sys" / "fs" / "cgroup"
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    second = [(cgroup, path) for _, controllers, path in groups if not controllers]
    return second + [(cgroup / "cpu", path) for _, names, path in groups if "cpu" in names.split(",")]


def _quota_of(folder: Path) -> float:
    """Return a cgroup's quota in cores (version 2: cpu.max; version 1: cpu.cfs_*_us), inf without one."""
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
    return quota if quota > 0 else math.inf  # -1 means none in version 1
