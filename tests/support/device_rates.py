"""What a device can do at best, and what a model asks of it: the measures of benchmarks and of tests on a GPU."""

import statistics
import time
from typing import Any

import torch


def synchronized_time(device: torch.device) -> float:
    """Return the time once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul_peak(device: torch.device) -> float:
    """Return the usual rate of a large float32 (bfloat16 on a GPU) matrix product, FLOP/s."""
    dtype, size = (torch.bfloat16, 8192) if device.type == "cuda" else (torch.float32, 2048)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    a @ b
    rates = []
    for _ in range(15):
        started = synchronized_time(device)
        a @ b
        rates.append(2 * size**3 / (synchronized_time(device) - started))
    return statistics.median(rates)


def matmul_parameters(model: Any) -> int:
    """Return the weights that take part in matrix products: all matrices but the embedding tables."""
    return sum(p.numel() for name, p in model.named_parameters() if p.ndim > 1 and "embeddings" not in name)
