"""How many tokens an encoder takes, told by its own tables of positions rather than by its family."""

from typing import Any

import torch

from bert_classifier.job.encoder_folder import LIMIT

_TABLES = ("position_embeddings", "embed_positions")


def positions_of_model(model: torch.nn.Module) -> int | None:
    """Return the maximum tokens of a model's input, special ones included; None if nothing limits them.

    That is what its config.json says (all that is known of rotary or relative positions), or what its table of
    positions has rows for, if that is less. A table with a padding row is looked up from the row behind that on.
    """
    limits = [getattr(model.config, LIMIT, None), *map(_rows_of, _tables_of(model))]
    known = [limit for limit in limits if isinstance(limit, int) and limit > 0]
    return min(known, default=None)


def longest_of_one_rope(config: Any) -> int | None:
    """Return how long texts may be so that each is turned by position alike in any batch; None if of any length.

    Of rope_type "longrope", transformers takes other angles for a whole batch as soon as one text in it is longer than
    the original length. ("dynamic" does so beyond max_position_embeddings, which no text exceeds.)
    """
    ropes = getattr(config, "rope_parameters", None) or {}
    by_layer = [rope for rope in ropes.values() if isinstance(rope, dict)] or [ropes]
    lengths = [
        rope.get("original_max_position_embeddings")
        for rope in by_layer
        if rope.get("rope_type") == "longrope"
    ]
    return min((length for length in lengths if isinstance(length, int)), default=None)


def _tables_of(model: torch.nn.Module) -> list[Any]:
    named = [module for name, module in model.named_modules() if name.rpartition(".")[2] in _TABLES]
    return [module for module in named if isinstance(getattr(module, "weight", None), torch.Tensor)]


def _rows_of(table: Any) -> int:
    padding = getattr(table, "padding_idx", None)
    return len(table.weight) - (0 if padding is None else int(padding) + 1)
