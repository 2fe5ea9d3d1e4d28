"""Compute a classifier in float32 with the rounding of int8 as the serving engine has it, on any device.

Training measures by it what int8 changes: also on a GPU, and for CPUs that compute int8 with fewer bits than its own.
The rule is that of engine.linear.Int8Linear, up to the order of sums: a scale for each output's weights, and one for
each token's values.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from bert_classifier.modeling.layer_names import LAYER_NAMES

STEPS = {8: 255, 7: 127}  # into which a token's values are rounded, by bits
_LARGEST_WEIGHT = 127
_SMALLEST = 1e-12


@contextlib.contextmanager
def rounded_to_int8(model: Any, bits: int) -> Iterator[None]:
    """Let the linear layers of a classifier's encoder compute as in int8; its weights stay as they are.

    Args:
        model: of transformers, of a family in LAYER_NAMES.
        bits: for values, 8 or 7; weights have 8.
    """
    layers = list(encoder_linears(model))
    for layer in layers:
        layer.forward = functools.partial(_compute, layer, STEPS[bits])  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def encoder_linears(model: Any) -> Iterator[torch.nn.Linear]:
    """Yield the linear layers that int8 rounds: those of the encoder's layers, not the embeddings' or the head's."""
    names, config = LAYER_NAMES[model.config.model_type], model.config.to_dict()
    for path in dict.fromkeys(names.paths(config)):  # layers may be the same
        for name in names.products(config):
            yield model.base_model.get_submodule(f"{path}.{name}")


def _compute(layer: torch.nn.Linear, steps: int, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(round_values(x, steps), round_weights(layer.weight), layer.bias)


def round_weights(weight: torch.Tensor) -> torch.Tensor:
    """Return weights (outputs, inputs) rounded to 8 bits, each output by its largest."""
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=_SMALLEST) / _LARGEST_WEIGHT
    return weight.div(scale).round_().mul_(scale)


def round_values(x: torch.Tensor, steps: int) -> torch.Tensor:
    """Return values (…, inputs) rounded to so many steps, each token by its largest.

    In the order in which the engine computes it, since the largest value itself lies between two steps.
    """
    largest = x.abs().amax(dim=-1, keepdim=True).clamp(min=_SMALLEST)
    step = torch.tensor(2 / steps, dtype=torch.float32, device=x.device)
    zero = (steps + 1) // 2
    return x.div(largest).mul_(1 / step).round_().clamp_(-zero, 255 - zero).mul_(step).mul_(largest)
