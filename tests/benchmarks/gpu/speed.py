"""The parts `speed-…`: training steps of BERT-base beside transformers' Trainer, in turns."""

import collections
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu import project
from benchmarks.gpu.goals import EPOCH_TEXTS, Figure
from benchmarks.gpu.material import Material
from benchmarks.gpu.transformers_trainer import texts_per_second
from support.device_rates import matmul_parameters, matmul_peak, synchronized_time

_STEPS = {32: 96, 256: 32, 1024: 12}  # of one turn, by batch
_WARM_UP, _TURNS, _PROFILED = 8, 2, 3


def speed(material: Material, batch: int) -> Iterator[Figure]:
    """Let the project's trainer and transformers' take turns in one epoch over the same texts; yield medians.

    Figures: share_of_peak = 6 × weights in matrix products × tokens/s ÷ the rate of a large bf16 matrix product that is
    measured in between; waits_per_step = calls that make the host wait for the GPU, of those that torch reports.
    """
    split = material.split(_STEPS[batch] * batch)
    peaks, ours, theirs = [], [], []
    counts: Figure = {}
    for _ in range(_TURNS):
        peaks.append(matmul_peak(project.DEVICE))
        trainer = material.trainer(split, global_batch_size=batch)
        ours.append(_texts_per_second(trainer, batch))
        counts = counts or _counts(trainer, batch)
        weights = matmul_parameters(trainer.model)
        del trainer
        theirs.append(_their_texts_per_second(material, split, batch))
    tokens, peak, rate = float(project.text_lengths(split).mean()), median(peaks), median(ours)
    rivals = median(theirs) if all(theirs) else None
    yield {
        "batch": batch,
        "texts_per_second": rate,
        "tokens_per_text": tokens,
        "peak_tflops": peak / 1e12,
        "share_of_peak": 6 * weights * tokens * rate / peak,
        "step_ms": batch / rate * 1e3,
        "seconds_for_560000": EPOCH_TEXTS / rate,
        **counts,
        "transformers_texts_per_second": rivals,
        "times_transformers": rate / rivals if rivals else None,
    }


def _texts_per_second(trainer: Any, batch: int) -> float:
    """Return the texts/s over an epoch, after some steps of warm-up."""
    torch.cuda.reset_peak_memory_stats()
    project.take_steps(trainer, 0, _WARM_UP)
    started = synchronized_time(project.DEVICE)
    project.take_steps(trainer, _WARM_UP, _STEPS[batch])
    return _STEPS[batch] * batch / (synchronized_time(project.DEVICE) - started)


def _counts(trainer: Any, batch: int) -> Figure:
    """Return memory, waits and kernels of a step."""
    memory, first = torch.cuda.max_memory_allocated(), _WARM_UP + _STEPS[batch]
    places = waits(lambda: project.take_steps(trainer, first, _PROFILED))
    for place, times in places.most_common():
        print(f"   waits at {place}: {times} in {_PROFILED} steps", flush=True)
    return {
        "gigabytes": memory / 1e9,
        "micro_batch_tokens": project.token_budget(trainer),
        "waits_per_step": sum(places.values()) / _PROFILED,
        "kernels_per_step": _kernels(lambda: project.take_steps(trainer, first + _PROFILED, _PROFILED)),
    }


def waits(work: Callable[[], None]) -> collections.Counter[str]:
    """Return how often each line makes the host wait for the GPU, of those calls that torch reports."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found = [warning for warning in caught if "synchroniz" in str(warning.message)]
    return collections.Counter(
        f"{'/'.join(Path(warning.filename).parts[-2:])}:{warning.lineno}" for warning in found
    )


def _kernels(work: Callable[[], None]) -> float | None:
    """Return the kernels of one of the steps; None where torch's profiler sees none."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        work()
        torch.cuda.synchronize()
    names = [event.name for event in profiled.events() or () if event.device_type.name == "CUDA"]
    kernels = [name for name in names if not name.startswith(("Memcpy", "Memset"))]
    return len(kernels) / _PROFILED or None


def _their_texts_per_second(material: Material, split: Any, batch: int) -> float:
    """Return the texts/s of transformers' Trainer; 0 where it fails, such as for want of memory."""
    torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as folder:
        try:
            return texts_per_second(
                material.bert_base(),
                material.tokenizer,
                project.token_lists(split),
                split.targets,
                batch,
                folder,
            )
        except (RuntimeError, ValueError) as error:
            print(f"   transformers' Trainer failed: {' '.join(str(error).split())[:300]}", flush=True)
            return 0.0
