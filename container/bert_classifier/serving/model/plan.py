"""Choose the number of models and threads for the container's cores and GPUs."""

import dataclasses

THREADS_PER_GPU = 2  # one tokenises while the other waits for the GPU
SPARE_THREADS = 16  # beyond the admitted requests, for pings and immediate 429s
MOST_SIDE_BY_SIDE = 4  # passes on one CPU: more would mean fewer texts each, and each reads all the weights


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one server runs.

    Attributes:
        cores: available cores.
        devices: torch devices, one per model thread.
        threads: threads per pass while no other runs.
        threads_shared: minimum threads per pass, while all model threads compute.
        fewest: threads that even the shortest pass has.
        request_threads: threads that wait for clients and models.
    """

    cores: int
    devices: tuple[str, ...]
    threads: int
    threads_shared: int
    fewest: int
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

    On a CPU, several passes run in parallel on separate cores, since the threads of one pass synchronise after every
    operation and stall whenever another thread takes a core. A single pass uses all cores, if it is long enough.

    Args:
        gpus: CUDA GPUs; the model threads of one share its model. Without one, all threads share the CPU's.
        models: number of model threads; default: THREADS_PER_GPU for each, or side_by_side(cores) on a CPU.
        threads: threads per model; default: its share of the cores.
        requests: maximum concurrent requests.
    """
    count = models or THREADS_PER_GPU * gpus or side_by_side(cores)
    devices = tuple(f"cuda:{number % gpus}" for number in range(count)) if gpus else ("cpu",) * count
    shared = threads or max(1, cores // count)
    alone = threads or (shared if gpus else cores)
    return Plan(cores, devices, alone, shared, threads or 1, requests + SPARE_THREADS)


def side_by_side(cores: int) -> int:
    """Return how many passes share the cores: at most MOST_SIDE_BY_SIDE, such that few cores are left over."""
    counts = range(MOST_SIDE_BY_SIDE, 0, -1)
    return next(count for count in counts if cores // count * count >= 0.75 * cores)
