"""How many models and threads to run, from the cores that this container may use and its GPUs."""

import dataclasses

SPARE_THREADS = 16  # beyond the admitted requests: for pings, and for answering 429 at once
MOST_SIDE_BY_SIDE = 4  # passes on one CPU: the more, the fewer texts each has, and each reads all the weights


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one server runs.

    Attributes:
        cores: cores that may be used.
        devices: torch devices, one per model thread.
        threads: threads of a pass while no other runs.
        threads_shared: threads of a pass at least, while all model threads compute.
        request_threads: threads that wait for clients and models.
    """

    cores: int
    devices: tuple[str, ...]
    threads: int
    threads_shared: int
    request_threads: int

    def __str__(self) -> str:
        models = f"{len(self.devices)} on {', '.join(dict.fromkeys(self.devices))}"
        threads = "-".join(dict.fromkeys((str(self.threads_shared), str(self.threads))))
        return (
            f"plan: cores={self.cores} model_threads={models} threads_each={threads} "
            f"request_threads={self.request_threads}"
        )


def make_plan(*, cores: int, gpus: int, models: int | None, threads: int | None, requests: int) -> Plan:
    """Return the plan for a machine.

    On a CPU several passes run side by side, each on its part of the cores: threads of one pass wait for each
    other after every operation, and all of them whenever another thread takes one's core. A lone pass takes all.

    Args:
        gpus: CUDA GPUs, each with a model of its own. Without one, all models share their weights on the CPU.
        models: model threads; default: one per GPU, or on a CPU as many as side_by_side returns.
        threads: threads of each; default: the cores, shared among them.
        requests: requests admitted at the same time.
    """
    count = models or gpus or side_by_side(cores)
    devices = tuple(f"cuda:{number % gpus}" for number in range(count)) if gpus else ("cpu",) * count
    shared = threads or max(1, cores // count)
    alone = threads or (shared if gpus else cores)
    return Plan(cores, devices, alone, shared, requests + SPARE_THREADS)


def side_by_side(cores: int) -> int:
    """Return how many passes share that many cores: at most MOST_SIDE_BY_SIDE, and few cores are left over."""
    counts = range(MOST_SIDE_BY_SIDE, 0, -1)
    return next(count for count in counts if cores // count * count >= 0.75 * cores)
