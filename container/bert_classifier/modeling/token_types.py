"""Token types: 0 for the tokens of a pair's first text, 1 for those of its second, in models that tell them apart."""

import inspect
from typing import Any

import numpy as np

from bert_classifier.encoding.text_encoder import EncodedTexts

TYPE_IDS = "token_type_ids"  # transformers' name of the argument


def has_token_types(model: Any, tokenizer: Any) -> bool:
    """Return whether a model of text pairs reads token types: it has two or more, and its tokenizer gives them to it.

    Args:
        model: whose forward would take them.
        tokenizer: of transformers.
    """
    takes = TYPE_IDS in inspect.signature(type(model).forward).parameters
    types = getattr(model.config, "type_vocab_size", None)
    return takes and TYPE_IDS in tokenizer.model_input_names and isinstance(types, int) and types > 1


def padded_types(encoded: EncodedTexts, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the argument for b windows, int64 (b, longest), where there are types; padding is of type 0."""
    if encoded.seconds is None:
        return {}
    columns = np.arange(int(encoded.lengths[windows].max()))
    types = columns >= encoded.seconds[windows][:, None]
    is_token = columns < encoded.lengths[windows][:, None]
    return {TYPE_IDS: (types & is_token).astype(np.int64)}


def types_in_row(encoded: EncodedTexts, windows: np.ndarray, positions: np.ndarray) -> np.ndarray | None:
    """Return the types of b windows' tokens side by side, int64 (1, tokens); None where there are none.

    Args:
        positions: of each token in its window, (1, tokens).
    """
    if encoded.seconds is None:
        return None
    begins = np.repeat(encoded.seconds[windows], encoded.lengths[windows])
    types: np.ndarray = (positions >= begins).astype(np.int64)
    return types
