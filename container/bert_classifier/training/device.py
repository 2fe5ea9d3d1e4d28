"""Where and in which arithmetic a rank computes; CPU threads pinned, since their number changes the bits."""

import logging
import os

import torch

from bert_classifier.encoding.micro_batches import MICRO_BATCH_OVERHEAD_TOKENS
from bert_classifier.errors import UserError
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.modeling.gpus import count_gpus, require_kernels, why_no_gpu

logger = logging.getLogger(__name__)

_DEFAULT_TOKENS = {"cuda": 16_384, "cpu": 2048}
# What starting one more micro-batch costs, in tokens' worth of time. On a GPU, launching the kernels of a pass takes
# as long as computing some thousand tokens; a CPU rather computes twice than one padding token too many.
_PIECE_COST = {"cuda": 4096, "cpu": MICRO_BATCH_OVERHEAD_TOKENS}


def choose_device(local_rank: int = 0) -> torch.device:
    """Return this rank's GPU, or the CPU where there is none that torch can use.

    Raises:
        UserError: when the host has GPUs, but fewer than processes, or such as torch has no kernels for.
    """
    if not count_gpus():
        if local_rank == 0 and (reason := why_no_gpu()):
            logger.warning("this machine has a GPU, but training goes on its CPU: %s", reason)
        return torch.device("cpu")
    _require_gpus(local_rank + 1)
    require_kernels(local_rank)
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def check_devices(precision: str, processes: int) -> None:
    """Refuse what this host cannot compute before data are read, as far as that takes no GPU into use.

    Args:
        precision: the setting.
        processes: of this host.
    Raises:
        UserError: for fewer GPUs than processes, or fp16 without any.
    """
    if count_gpus():
        _require_gpus(processes)
    else:
        resolve_precision(precision, torch.device("cpu"))


def _require_gpus(processes: int) -> None:
    gpus = count_gpus()
    if processes > gpus:
        raise UserError(
            f"This instance has {gpus} GPU(s), too few for its processes.",
            "Leave processes_per_host out: it is then the number of GPUs.",
        )


def pin_threads(processes: int = 1) -> int:
    """Use this process' part of the available cores, or fewer where OMP_NUM_THREADS says so; return their number.

    Args:
        processes: that share the cores.
    """
    threads = max(1, min(available_cores() // processes, torch.get_num_threads()))
    torch.set_num_threads(threads)
    return threads


def use_threads(wanted: int, available: int) -> int:
    """Compute with as many threads as an earlier attempt of the run, if there are cores for them; return their number.

    Args:
        available: what this rank took; cores that it shares with other ranks count too, and those of which a quota
            leaves it a part of the time: equal bits are worth more.
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


def default_token_budget(device: torch.device) -> int:
    """Return the most tokens of a micro-batch when the job does not say: what measured fastest."""
    return _DEFAULT_TOKENS[device.type]


def micro_batch_overhead_tokens(device: torch.device) -> int:
    """Return what a micro-batch costs besides its tokens, in tokens' worth of time."""
    return _PIECE_COST[device.type]
