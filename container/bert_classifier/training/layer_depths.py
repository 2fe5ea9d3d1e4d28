"""The depth of each parameter below the head, derived from the modules, since names differ between families."""

import re
from typing import Any

from torch.nn import Embedding, Module, ModuleList

from bert_classifier.errors import UserError
from bert_classifier.modeling.encoder_fit import HEAD_PARTS

_NAMED_LAYER = re.compile(r"\.layer\.(\d+)\.")
# Registered behind the layers, but computed before the first one, and beside it: how far below the layer 0.
_COMPUTED_EARLIER = {"deberta-v2": {"encoder.LayerNorm.": 1, "encoder.conv.": 0}}
_NAMED_EMBEDDINGS = re.compile(r"(^|\.)embeddings(_project)?\.")


def layer_depths(model: Any) -> dict[str, int]:
    """Return the number of layers above each parameter, by name: 0 for the head and top layer, L for the embeddings.

    The layers are the L = num_hidden_layers blocks that the encoder holds in a list. Below them are modules registered
    earlier (embeddings and their norm) and tables shared by all layers (relative positions), with the norm of these in
    DeBERTa-v2. Above them are pooler, final norm and head.

    Args:
        model: a classifier of transformers.
    Raises:
        UserError: when not every layer has weights of its own, as in ALBERT.
    """
    encoder = model.base_model
    count = model.config.get_text_config().num_hidden_layers
    layers = _layers(encoder, count)
    if not layers:
        raise UserError(
            f"layer_decay cannot be applied to an encoder of type {model.config.model_type}: it has no {count} layers"
            " with weights of their own.",
            "Leave layer_decay out, or use another encoder.",
        )
    low = tuple(f"{name}." for name, module in encoder.named_modules() if isinstance(module, Embedding))
    layers |= _computed_earlier(model)
    depths: dict[int, int] = {}
    depth = count
    for name, parameter in encoder.named_parameters():
        layer = next((number for block, number in layers.items() if name.startswith(block)), None)
        if layer is not None:
            depth = 0  # for modules registered after the layers
            depths[id(parameter)] = count - 1 - layer
        elif not any(part in name for part in HEAD_PARTS):
            depths[id(parameter)] = count if name.startswith(low) else depth
    return {name: depths.get(id(parameter), 0) for name, parameter in model.named_parameters()}


def _computed_earlier(model: Any) -> dict[str, int]:
    """Return the index of the layer, or -1 for below all, by prefix of what is registered later than it is computed."""
    found = _COMPUTED_EARLIER.get(model.config.model_type, {})
    names = [name for name, _ in model.base_model.named_parameters()]
    return {prefix: -below for prefix, below in found.items() if any(n.startswith(prefix) for n in names)}


def _layers(encoder: Module, count: int) -> dict[str, int]:
    """Return the index of each layer by the prefix of its parameters' names; empty if the layers are not found.

    A family may keep the parts of its layers in several lists (XLM), or its layers in a list of lists (Funnel).
    """
    found: dict[str, int] = {}
    for name, module in encoder.named_modules():
        if isinstance(module, ModuleList) and not name.startswith(tuple(found)):
            blocks = _blocks(name, module)
            if len(blocks) == len({id(block) for block in blocks.values()}) == count:
                found |= {f"{block}.": number for number, block in enumerate(blocks)}
    return found


def _blocks(name: str, module: Module) -> dict[str, Module]:
    if not isinstance(module, ModuleList):
        return {name: module}
    parts = (_blocks(f"{name}.{number}", part) for number, part in enumerate(module))
    return {block: inner for part in parts for block, inner in part.items()}


def depths_rule(model: Any) -> str:
    """Return the rule that sets a model's depths, for the run fingerprint; "" for that of early versions."""
    if depths_match_names(model):
        return ""
    return "by computation" if _computed_earlier(model) else "by module"


def depths_match_names(model: Any) -> bool:
    """Return whether parameter names (`.layer.N.`, `embeddings.`), which early versions used, give the same depths."""
    names = [name for name, _ in model.named_parameters()]
    numbers = {name: int(found[1]) for name in names if (found := _NAMED_LAYER.search(name))}
    count = 1 + max(numbers.values(), default=-1)
    by_name = {name: count - 1 - number for name, number in numbers.items()}
    by_name |= {name: count for name in names if _NAMED_EMBEDDINGS.search(name)}
    depths = layer_depths(model)
    return all(
        depths[name] == by_name.get(name, 0) for name, p in model.named_parameters() if p.requires_grad
    )
