"""Compute with an encoder's first layers only, where all of them would take longer than a trial is worth."""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch.nn import Embedding, Module, ModuleList

# Floating-point operations, seconds on two cores: a text of 512 tokens, forward and backward, by a BERT of 12 layers.
_BUDGET = 3.2e11
LEAST_LAYERS = 2  # layers: in some families they take turns


def affordable_layers(model: Any, length: int) -> tuple[int, bool]:
    """Return how many layers can compute a text within seconds, and whether their gradients can, too.

    A pass takes two operations per weight and token, and attention four per pair of tokens and number of a vector; its
    gradients take twice as many (Kaplan et al. 2020, Scaling Laws for Neural Language Models, 2.1).
    """
    count = _count(model)
    per_layer = _weights(model) / (count if _lists(model, count) else 1)
    width = getattr(model.config, "hidden_size", 0) or 0
    forward = 2 * per_layer * length + 4 * width * length**2
    affordable = int(_BUDGET / forward)
    if affordable >= 3 * LEAST_LAYERS:
        return min(count, affordable // 3), True
    return min(count, LEAST_LAYERS), False


@contextlib.contextmanager
def with_layers(model: Any, most: int) -> Iterator[None]:
    """Let a model compute with at most so many of its layers; where they are not found, with all."""
    count = _count(model)
    lists = _lists(model, count) if most < count else []
    shares = most < count and model.config.model_type == "albert"
    try:
        for parent, name, layers in lists:
            setattr(parent, name, layers[:most])
        if shares:  # one module is all its layers
            model.config.num_hidden_layers = most
        yield
    finally:
        for parent, name, layers in lists:
            setattr(parent, name, layers)
        if shares:
            model.config.num_hidden_layers = count


def _count(model: Any) -> int:
    return int(getattr(model.config, "num_hidden_layers", 0) or 1)


def _weights(model: Any) -> int:
    """Return the number of weights that are multiplied with every token."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, Embedding)}
    return sum(weights.numel() for weights in model.base_model.parameters() if id(weights) not in tables)


def _lists(model: Any, count: int) -> list[tuple[Module, str, ModuleList]]:
    """Return the lists of layers, each with the module and attribute that hold it."""
    return [
        (parent, name, layers)
        for parent in model.base_model.modules()
        for name, layers in parent.named_children()
        if isinstance(layers, ModuleList) and len(layers) == count
    ]
