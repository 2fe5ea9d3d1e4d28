"""The number of cores that a process may use: its affinity, or less if its control group has a CPU quota.

Standard library only.
"""

import math
import os
from pathlib import Path

from bert_classifier.job.cgroups import groups_of


def available_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that this process can use, at least 1.

    Round down: with more threads than the quota, all of them are throttled.

    Args:
        root: folder below which proc and sys are mounted.
    """
    quota = min(map(_quota_of, groups_of("cpu", root)), default=math.inf)
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), quota)))


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
