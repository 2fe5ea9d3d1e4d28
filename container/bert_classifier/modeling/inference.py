"""The inference loop: plan micro-batches, compute them, and average over the windows of each text."""

from collections.abc import Callable, Iterable

import numpy as np
import torch

from bert_classifier.encoding.micro_batches import MICRO_BATCH_OVERHEAD_TOKENS, plan_micro_batches
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward


def plan_inference(
    forward: Forward,
    encoded: EncodedTexts,
    max_tokens: int,
    micro_batch_overhead: int = MICRO_BATCH_OVERHEAD_TOKENS,
) -> list[np.ndarray]:
    """Divide the windows of texts into the micro-batches that `forward` computes fastest; see plan_micro_batches."""
    return plan_micro_batches(
        encoded.lengths,
        max_tokens,
        micro_batch_overhead=micro_batch_overhead,
        is_padded=forward.is_padded,
    )


def compute_logits(
    forward: Forward,
    encoded: EncodedTexts,
    micro_batches: Iterable[np.ndarray],
    num_classes: int,
    *,
    dtype: type[np.floating] = np.float32,
    combine: Callable[[np.ndarray], None] = lambda logits: None,
) -> np.ndarray:
    """Return the logits of n texts, (n, num_classes); a text's logits are the mean of its windows'.

    Args:
        forward: its model must be in evaluation mode.
        micro_batches: windows per pass, int (b,) each; only this rank's if several share the work.
        combine: adds the logits of other ranks in place; windows that were not computed here are zero.
    """
    logits = np.zeros((len(encoded.lengths), num_classes), dtype=dtype)
    with torch.inference_mode():
        for windows in micro_batches:
            logits[windows] = forward(encoded, windows).cpu().numpy()
    combine(logits)
    return encoded.mean_by_text(logits)
