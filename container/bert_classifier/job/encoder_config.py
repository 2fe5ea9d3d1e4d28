"""Check the values in an encoder's config.json of which no model can be built, before anything is loaded.

What a family takes beyond these, transformers' own validation says; see modeling.config_errors. Standard library only.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from bert_classifier.errors import UserError

CORRECT = "Correct it: the model's page shows its original config.json."
_MOST_SHOWN = 100  # characters of a value
_HEADS = "num_attention_heads"
_PADDING = "pad_token_id"
_COUNTS = ("hidden_size", "num_hidden_layers", _HEADS)
_INTEGERS = ("intermediate_size", "max_position_embeddings", "vocab_size")
_FRACTIONS = ("layer_norm_eps", "initializer_range")
_DROPOUT = "hidden_dropout_prob"
_TABLES = ("id2label", "label2id")  # null for none
# Whose fields have other names, or may be null.
_OTHER_FIELDS = frozenset(
    {
        "distilbert", "esm", "esmc", "eurobert", "flaubert", "fnet", "funnel", "modernbert", "perceiver", "reformer",
        "ultrabert", "xlm",
    }
)  # fmt: skip
# Whose heads have widths of their own.
_FREE_HEADS = frozenset(
    {
        "albert", "convbert", "electra", "gte", "jina_embeddings_v3", "mobilebert", "nomic_bert", "roformer",
    }
)  # fmt: skip
# Whose positions are counted from the padding id on.
_COUNT_FROM_PADDING = frozenset(
    {
        "camembert", "data2vec-text", "ibert", "longformer", "luke", "roberta", "roberta-prelayernorm",
        "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip


def check_values(config: Mapping[str, Any], source: str) -> None:
    """Refuse values of which no model can be built.

    Args:
        config: the fields of a config.json, with a model_type that check_type takes.
        source: its folder or name, for messages.
    Raises:
        UserError: with field and value.
    """
    for name, what in _faults(config):
        raise wrong_value(source, name, config.get(name), what)
    if config["model_type"] == "flaubert" and config.get("pre_norm") is True:
        raise UserError(
            f"The config.json of {source} has pre_norm=true, with which transformers' own FlauBERT fails.",
            "Use a FlauBERT with pre_norm=false, or another encoder such as CamemBERT.",
        )


def wrong_value(source: str, name: str, value: object, what: str, remedy: str = CORRECT) -> UserError:
    """Return the error for a field of config.json; `what` says what is wrong with its value."""
    return UserError(
        f"The config.json of {source} has {name}={json.dumps(value)[:_MOST_SHOWN]}, {what}.", remedy
    )


def _faults(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield fields with wrong values, and what is wrong with them."""
    for name in _COUNTS:
        value = config.get(name)
        if _is_integer(value) and value < 1:
            yield name, "and a model has at least 1"
    for name in _TABLES:
        if not isinstance(config.get(name), dict | None):
            yield name, 'which is not a table such as {"0": "name"}'
    if config["model_type"] in _OTHER_FIELDS:
        return
    yield from _wrong_types(config)
    size, heads = config.get("hidden_size"), config.get(_HEADS)
    if config["model_type"] not in _FREE_HEADS and size and heads and size % heads:
        yield _HEADS, f"which does not divide hidden_size={size}"
    if config["model_type"] in _COUNT_FROM_PADDING and _PADDING in config and config[_PADDING] is None:
        yield _PADDING, "but this type counts its positions from that id on (RoBERTa's is 1)"


def _wrong_types(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if name in (*_COUNTS, *_INTEGERS) and not _is_integer(value):
            yield name, "which is not a whole number"
        if name in _FRACTIONS and not isinstance(value, float):
            yield name, f"which is not a number with a decimal point{_as_float(value)}"
        if name == _DROPOUT and not (_is_number(value) and 0 <= value <= 1):
            yield name, "which is not a number from 0 to 1"


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_integer(value) or isinstance(value, float)) and math.isfinite(value)


def _as_float(value: Any) -> str:
    return f" such as {float(value)}" if _is_integer(value) else ""
