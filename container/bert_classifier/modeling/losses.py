"""The loss of each text: cross-entropy over its classes, or over each label by itself."""

import torch
from torch.nn import functional


def cross_entropies(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropies of logits (b, classes), float32.

    Args:
        targets: class indices, int64 (b,); or for each class 1 or 0, float32 (b, classes).
    Returns:
        -log softmax at the target, (b,); or -log sigmoid of the logit of each label that a text has, and of the
        negative logit of each that it has not, (b, classes).
    """
    if targets.ndim == 2:
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return functional.cross_entropy(logits, targets, reduction="none")
