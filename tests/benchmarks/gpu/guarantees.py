"""The parts `bits-…` and `memory`: the same run twice, and a batch that does not fit into memory."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.gpu import project
from benchmarks.gpu.goals import Figure
from benchmarks.gpu.material import Material
from support.device_rates import synchronized_time

_BATCH, _STEPS = 256, 12
_TEXTS = 1024  # of the batch that does not fit
_MOST_TOKENS = 131_072  # of a micro-batch: more than the batch has
_SHARE = 0.6  # of the memory that the whole batch needs


def bits(material: Material, reproducible: str) -> Iterator[Figure]:
    """Train the same steps twice; yield whether all weights have the same bits."""
    ends, seconds = [], []
    split = material.split(_BATCH * _STEPS)
    for _ in range(2):
        trainer = material.trainer(split, global_batch_size=_BATCH, reproducible=reproducible)
        started = synchronized_time(project.DEVICE)
        project.take_steps(trainer, 0, _STEPS)
        seconds.append(synchronized_time(project.DEVICE) - started)
        ends.append(project.weights_of(trainer))
        del trainer
    yield {
        "mode": "reproducible" if reproducible == "true" else "default",
        "is_identical": torch.equal(ends[0].view(torch.int32), ends[1].view(torch.int32)),
        "largest_difference": float((ends[0] - ends[1]).abs().max()),
        "steps": _STEPS,
        "texts_per_second": _BATCH * _STEPS / min(seconds),
    }


def memory(material: Material) -> Iterator[Figure]:
    """Compute a batch's gradient, cap the memory, and compute it again; yield how far it has changed."""
    split = material.split(_TEXTS)
    trainer = material.trainer(split, global_batch_size=_TEXTS, max_tokens_per_micro_batch=_MOST_TOKENS)
    project.turn_off_dropout(trainer)  # its randomness belongs to the micro-batch
    indices = np.arange(_TEXTS)
    torch.cuda.reset_peak_memory_stats()
    whole = project.gradient_of(trainer, indices)
    first_budget, peak = project.token_budget(trainer), torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, _SHARE * peak / total))
    again = project.gradient_of(trainer, indices)
    torch.cuda.set_per_process_memory_fraction(1.0)
    yield {
        "first_budget": first_budget,
        "budget": project.token_budget(trainer),
        "peak_gigabytes": peak / 1e9,
        "capped_gigabytes": _SHARE * peak / 1e9,
        "gradient_change": float((again - whole).norm() / whole.norm()),
    }
