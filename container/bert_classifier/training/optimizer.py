"""AdamW's parameter groups, the learning rate schedule and class weights."""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from bert_classifier.job.task import Task
from bert_classifier.training.layer_depths import layer_depths

logger = logging.getLogger(__name__)

_LARGE_TABLE = 4096  # rows; position and type embeddings have fewer


def build_optimizer(
    model: torch.nn.Module, learning_rate: float, weight_decay: float, layer_decay: float
) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters.

    Biases and norms have no weight decay, as in transformers' Trainer. With `layer_decay` d < 1, the learning rate is
    multiplied by d^(L-1-i) in encoder layer i of L and by d^L in the embeddings (Sun et al. 2019, section 5.4.2).
    Each group stores its factor as `lr_scale`.

    Raises:
        UserError: when the layers of the model are not found.
    """
    depths = layer_depths(model) if layer_decay < 1 else {}
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            scale = layer_decay ** depths.get(name, 0)
            decay = weight_decay if decays(name, parameter) else 0.0
            groups.setdefault((scale, decay), []).append(parameter)
    if depths and all(scale == 1 for scale, _ in groups):
        logger.warning("layer_decay=%g has no effect: no layer of the encoder is trained", layer_decay)
    settings: list[dict[str, Any]] = [
        {"params": parameters, "lr_scale": scale, "weight_decay": decay}
        for (scale, decay), parameters in groups.items()
    ]
    return torch.optim.AdamW(settings, lr=learning_rate, fused=True)


def decays(name: str, parameter: torch.Tensor) -> bool:
    """Return whether a parameter has weight decay: no norm, which is a vector, and no bias, which may be a table."""
    return parameter.ndim > 1 and "bias" not in name


def decay_by_shape(model: torch.nn.Module) -> bool:
    """Return whether all vectors, as early versions had it, are all that has no weight decay."""
    trained = ((name, p) for name, p in model.named_parameters() if p.requires_grad)
    return all(decays(name, parameter) == (parameter.ndim > 1) for name, parameter in trained)


def learning_rate_factor(step: int, total_steps: int, warmup_ratio: float) -> float:
    """Return the factor of the learning rate at a step (from 0): linear warmup to 1, then linear decay to 0."""
    warmup_steps = round(total_steps * warmup_ratio)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return (total_steps - step) / max(1, total_steps - warmup_steps)


def class_weights(setting: str, targets: np.ndarray, num_classes: int) -> torch.Tensor:
    """Return the weight of each class in the loss, for the setting `none` or `balanced`.

    Returns:
        float32 (classes,); with several labels per text (2, classes): of each class where a text does not have it, and
        where it has it.
    """
    if Task.of(targets) is Task.MULTI:
        return balanced_label_weights(targets) if setting == "balanced" else torch.ones(2, num_classes)
    return balanced_class_weights(targets, num_classes) if setting == "balanced" else torch.ones(num_classes)


def balanced_class_weights(targets: np.ndarray, num_classes: int) -> torch.Tensor:
    """Return float32 (classes,): n ÷ (number of classes that occur × count of the class); 0 if the class is absent.

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data.
    """
    counts = np.bincount(targets, minlength=num_classes)
    present = counts > 0
    weights = np.zeros(num_classes)
    weights[present] = len(targets) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32)


def balanced_label_weights(targets: np.ndarray) -> torch.Tensor:
    """Return float32 (2, classes): n ÷ (2 × texts without the label), n ÷ (2 × texts with it); 0 where there are none.

    Each label is a classification of its own into two classes, balanced as balanced_class_weights does.

    Args:
        targets: uint8 (n, classes).
    """
    with_label = targets.sum(axis=0, dtype=np.int64)
    counts = np.stack([len(targets) - with_label, with_label])
    weights = np.divide(len(targets), 2 * counts, out=np.zeros(counts.shape), where=counts > 0)
    return torch.tensor(weights, dtype=torch.float32)


def use_sparse_embedding_gradients(model: torch.nn.Module) -> None:
    """Compute gradients only for the embeddings that a micro-batch uses.

    A dense gradient of the whole vocabulary for every micro-batch takes 8 % of the time on a CPU.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings >= _LARGE_TABLE:
            module.sparse = True


def densify_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Make sparse gradients dense, as the optimizer needs them."""
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.to_dense()
