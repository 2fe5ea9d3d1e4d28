"""How many models and threads a machine gets: from the cores this container may truly use, and its GPUs."""

import dataclasses
import math
import os
from pathlib import Path

SPARE_THREADS = 16  # beyond the admitted requests: for pings, and for answering 429 at once
_CGROUP = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one server runs.

    Attributes:
        cores: that may be used.
        devices: of torch, one for each model thread.
        threads: of each model thread's computations.
        request_threads: that wait for clients and models.
    """

    cores: int
    devices: tuple[str, ...]
    threads: int
    request_threads: int

    def __str__(self) -> str:
        models = f"{len(self.devices)} on {', '.join(dict.fromkeys(self.devices))}"
        return (
            f"plan: cores={self.cores} model_threads={models} threads_each={self.threads} "
            f"request_threads={self.request_threads}"
        )


def make_plan(*, cores: int, gpus: int, models: int | None, threads: int | None, requests: int) -> Plan:
    """Return the plan for a machine.

    Args:
        gpus: of CUDA; each gets a model of its own. Without one all models compute on the CPU and share
            their weights.
        models: model threads; default: one for each GPU, or one.
        threads: of each; default: the cores, shared among them.
        requests: admitted at the same time.
    """
    count = models or gpus or 1
    devices = tuple(f"cuda:{number % gpus}" for number in range(count)) if gpus else ("cpu",) * count
    return Plan(cores, devices, threads or max(1, cores // count), requests + SPARE_THREADS)


def available_cores(cgroup: Path = _CGROUP) -> int:
    """Return how many cores this process can keep busy: its affinity, or less where a quota limits it."""
    own = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return own if quota is None else max(1, min(own, math.floor(quota)))


def _quota(cgroup: Path) -> float | None:
    """Return the cores' worth of time that the control group grants (version 2, or 1), None if unlimited."""
    try:
        if (cgroup / "cpu.max").exists():
            limit, period = (cgroup / "cpu.max").read_text().split()
        else:
            limit, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
        return None if limit in ("max", "-1") else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
