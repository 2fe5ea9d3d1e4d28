"""Device, precision and CPU threads of a rank. The number of threads is fixed, since results depend on it bitwise."""

import logging
import os

import torch

from bert_classifier.encoding.micro_batches import MICRO_BATCH_OVERHEAD_TOKENS
from bert_classifier.errors import UserError
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.modeling.gpus import count_gpus, require_kernels, why_no_gpu

logger = logging.getLogger(__name__)

# Default token budget of a micro-batch, by device type: the fastest measured.
TOKEN_BUDGETS = {"cuda": 16_384, "cpu": 2048}
# Fixed cost of a micro-batch, in tokens. On a GPU, launching a pass's kernels takes as long as computing thousands of
# tokens; on a CPU, it costs less than a little padding.
OVERHEAD_TOKENS = {"cuda": 4096, "cpu": MICRO_BATCH_OVERHEAD_TOKENS}


def choose_device(local_rank: int = 0) -> torch.device:
    """Return this rank's GPU, or the CPU if torch cannot use a GPU.

    Raises:
        UserError: when the host has fewer GPUs than processes, or torch has no kernels for its GPU.
    """
    if not count_gpus():
        if local_rank == 0 and (reason := why_no_gpu()):
            logger.warning("this machine has a GPU, but training uses its CPU: %s", reason)
        return torch.device("cpu")
    _require_gpus(local_rank + 1)
    require_kernels(local_rank)
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def check_devices(precision: str, processes: int) -> None:
    """Check that this host can run the job, without using a GPU.

    Args:
        precision: the setting.
        processes: number of processes on this host.
    Raises:
        UserError: for fewer GPUs than processes, or fp16 without a GPU.
    """
    if count_gpus():
        _require_gpus(processes)
    else:
        resolve_precision(precision, torch.device("cpu"))


def _require_gpus(processes: int) -> None:
    gpus = count_gpus()
    if processes > gpus:
        raise UserError(
            f"This instance has {gpus} GPU(s), fewer than its processes.",
            "Leave processes_per_host out: the default is the number of GPUs.",
        )


def use_deterministic_kernels() -> None:
    """Make a GPU compute the same bits every time, for the whole process.

    An operation without a deterministic kernel raises RuntimeError from now on; so does a matrix product, unless
    CUBLAS_WORKSPACE_CONFIG was set before the first one.
    """
    torch.use_deterministic_algorithms(True)
    # Else a kernel per new tensor would guard against reads that do not happen.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def pin_threads(processes: int = 1) -> int:
    """Use this process's share of the available cores, or OMP_NUM_THREADS if that is less.

    Args:
        processes: number of processes that share the cores.
    Returns:
        the number of threads.
    """
    threads = max(1, min(available_cores() // processes, torch.get_num_threads()))
    torch.set_num_threads(threads)
    return threads


def use_threads(wanted: int, available: int) -> int:
    """Use as many threads as the run's first attempt, if the machine has the cores: results are then bit-identical.

    Args:
        wanted: threads of the first attempt. All cores count, even those shared with other ranks or limited by a
            quota: identical bits matter more than speed.
        available: threads that this rank would use otherwise.
    Returns:
        the number of threads.
    """
    threads = wanted if wanted <= max(available, len(os.sched_getaffinity(0))) else available
    torch.set_num_threads(threads)
    return threads


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return fp32, bf16 or fp16 for the setting `precision`.

    Raises:
        UserError: for fp16 without a GPU.
    """
    if precision == "fp16" and device.type != "cuda":
        raise UserError("precision=fp16 needs a GPU.", "Use precision=auto, or a GPU instance.")
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
