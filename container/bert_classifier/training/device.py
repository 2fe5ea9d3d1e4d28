"""Where and in which arithmetic a rank computes; CPU threads pinned, since their number changes the bits."""

import contextlib
import logging
import os

import torch

from bert_classifier.errors import UserError

logger = logging.getLogger(__name__)

_DEFAULT_TOKENS = {"cuda": 16_384, "cpu": 1024}


def choose_device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def pin_threads() -> int:
    """Use the cores this process may run on, or fewer where OMP_NUM_THREADS says so; return their number."""
    threads = min(len(os.sched_getaffinity(0)), torch.get_num_threads())
    torch.set_num_threads(threads)
    return threads


def use_threads(wanted: int, available: int) -> int:
    """Compute with as many threads as an earlier life of the run, if there are cores for them; return their number."""
    threads = wanted if wanted <= available else available
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


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a forward pass computes in this precision."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


def default_token_budget(device: torch.device) -> int:
    """Return the most tokens of a micro-batch when the job does not say: what measured fastest."""
    return _DEFAULT_TOKENS[device.type]
