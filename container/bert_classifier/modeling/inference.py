"""The inference loop: plan micro-batches, compute them, and average over the windows of each text."""

from collections.abc import Callable, Iterable

import numpy as np
import torch

from bert_classifier.encoding.micro_batches import (
    MICRO_BATCH_OVERHEAD_TOKENS,
    plan_even_micro_batches,
    plan_micro_batches,
)
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.transfer import LateValues

# Fixed cost of a padded pass on a GPU, in tokens: what the GPU computes while some hundred kernels are launched.
_OVERHEAD_ON_GPU = {"fp32": 256, "bf16": 4096}  # estimated: not yet run on a GPU
_MOST_KEPT = 1 << 24  # logits that wait on the device: 64 MB


def plan_inference(forward: Forward, encoded: EncodedTexts, max_tokens: int) -> list[np.ndarray]:
    """Divide the windows of texts into the micro-batches that `forward` computes fastest; see plan_micro_batches.

    Windows without any token are left out, so that their logits stay 0: nothing speaks for any class.
    """
    if len(encoded.lengths) == 1:  # most requests have one text
        return [np.arange(1)] if encoded.lengths[0] else []
    windows = np.flatnonzero(encoded.lengths)
    if len(windows) == len(encoded.lengths):
        return _plan(forward, encoded.lengths, max_tokens)
    return [windows[chosen] for chosen in _plan(forward, encoded.lengths[windows], max_tokens)]


def _plan(forward: Forward, lengths: np.ndarray, max_tokens: int) -> list[np.ndarray]:
    if len(lengths) <= 1:
        return [np.arange(1)] if len(lengths) else []
    if forward.device.type == "cuda" and not forward.is_padded:
        return plan_even_micro_batches(lengths, max_tokens)
    return plan_micro_batches(
        lengths,
        max_tokens,
        micro_batch_overhead=_overhead_of(forward),
        is_padded=forward.is_padded,
    )


def _overhead_of(forward: Forward) -> int:
    if forward.device.type != "cuda":
        return MICRO_BATCH_OVERHEAD_TOKENS
    return _OVERHEAD_ON_GPU["bf16" if is_bf16(forward.model) else "fp32"]


def is_bf16(model: torch.nn.Module) -> bool:
    """Return whether the model's weights are in bf16."""
    return next(model.parameters()).dtype == torch.bfloat16


def compute_logits(
    forward: Callable[[EncodedTexts, np.ndarray], torch.Tensor],
    encoded: EncodedTexts,
    micro_batches: Iterable[np.ndarray],
    num_classes: int,
    *,
    dtype: type[np.floating] = np.float32,
    combine: Callable[[np.ndarray], None] = lambda logits: None,
) -> np.ndarray:
    """Return the logits of n texts, (n, num_classes); a text's logits are the mean of its windows'.

    On a GPU, the passes are queued one after the other and the host waits for it once, for the logits of all.

    Args:
        forward: computes the logits of windows, or other vectors; its model must be in evaluation mode.
        micro_batches: windows per pass, int (b,) each; only this rank's if several share the work.
        combine: adds the logits of other ranks in place; windows that were not computed here are zero.
    """
    logits = np.zeros((len(encoded.lengths), num_classes), dtype=dtype)
    kept: list[tuple[np.ndarray, torch.Tensor]] = []
    room = _MOST_KEPT
    with torch.inference_mode():
        for windows in micro_batches:
            kept.append((windows, forward(encoded, windows)))
            room -= len(windows) * num_classes
            if room <= 0:
                _move(kept, logits)
                room = _MOST_KEPT
        _move(kept, logits)
    combine(logits)
    return encoded.mean_by_text(logits)


def _move(kept: list[tuple[np.ndarray, torch.Tensor]], logits: np.ndarray) -> None:
    """Move the kept logits from the device to their windows' places, (m, num_classes)."""
    if len(kept) == 1:
        logits[kept[0][0]] = LateValues(kept[0][1]).read()
        kept.clear()
    if kept:
        windows, parts = zip(*kept, strict=True)
        logits[np.concatenate(windows)] = LateValues(torch.cat(parts)).read()
        kept.clear()
