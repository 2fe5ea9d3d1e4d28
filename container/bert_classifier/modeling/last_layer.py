"""The encoder's last layer for the first token of each text alone, where the head reads no other.

The layer computes what it is given, which is the first tokens: queries, what follows attention, and the residual are
theirs. Only keys and values are of all tokens, and attention asks for them. So the layer's own code does everything
else, with its norms, dropout and feed-forward network. The gradient of what is left out is 0 in the full computation.
"""

import dataclasses
import functools
import sys
from typing import Any

import torch

from bert_classifier.modeling.packed_attention import texts_in_row


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Names in a family's encoder.

    Attributes:
        layers: the list of layers.
        key, value: linear layers of attention; one name for both is a product that computes queries as well.
        norm: of a layer, before attention; "" where that follows it.
    """

    layers: str
    key: str
    value: str
    norm: str = ""


_BERT = _Parts("encoder.layer", "key", "value")
_ROTARY = _Parts("layers", "k_proj", "v_proj")
_PARTS = {
    **dict.fromkeys(
        ("bert", "camembert", "data2vec-text", "electra", "ernie", "roberta", "xlm-roberta"), _BERT
    ),
    "roberta-prelayernorm": dataclasses.replace(_BERT, norm="attention.LayerNorm"),
    "xlm-roberta-xl": dataclasses.replace(_BERT, norm="attention.self_attn_layer_norm"),
    "distilbert": _Parts("transformer.layer", "k_lin", "v_lin"),
    **dict.fromkeys(("gte", "jina_embeddings_v3", "nomic_bert"), _ROTARY),
    "modernbert": _Parts("layers", "Wqkv", "Wqkv", norm="attn_norm"),
}


def let_last_layer_compute_firsts(model: Any) -> bool:
    """Let an encoder's last layer compute each text's first token only, in a row; a padded pass stays as it is.

    Returns:
        False for a family whose layers are not known here, and for a local layer: the kernel of GPUs counts a window
        from a text's end where there are fewer queries than keys.
    """
    parts = _PARTS.get(model.config.model_type)
    if parts is None:
        return False
    layer = model.base_model.get_submodule(parts.layers)[model.config.num_hidden_layers - 1]
    if any(getattr(module, "sliding_window", None) is not None for module in layer.modules()):
        return False
    if not any(getattr(hook, "func", None) is _take_firsts for hook in layer._forward_pre_hooks.values()):
        layer.register_forward_pre_hook(functools.partial(_take_firsts, parts), with_kwargs=True)
    return True


def _take_firsts(
    parts: _Parts, layer: torch.nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Give a layer first tokens (1, b, size) for all (1, tokens, size); its options reach attention."""
    texts = texts_in_row()
    if texts is None or texts.is_last_layer_full:
        return None
    hidden, *others = inputs
    read = layer.get_submodule(parts.norm)(hidden) if parts.norm else hidden
    rotation = options.get("position_embeddings")
    given = {**options, "keys_and_values": functools.partial(_keys_and_values, parts, read, rotation)}
    if rotation is not None:
        given["position_embeddings"] = tuple(part[:, :1] for part in rotation)  # of position 0
    return (hidden.index_select(1, texts.firsts(hidden.shape[1])), *others), given


def _keys_and_values(
    parts: _Parts,
    read: torch.Tensor,
    rotation: tuple[torch.Tensor, torch.Tensor] | None,
    attention: torch.nn.Module,
    size: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keys and values of all tokens, each (1, heads, tokens, size), by an attention module's linear layers."""
    if parts.key == parts.value:
        _, *both = attention.get_submodule(parts.key)(read).chunk(3, dim=-1)
    else:
        both = [attention.get_submodule(name)(read) for name in (parts.key, parts.value)]
    key, value = (vectors.unflatten(-1, (-1, size)).transpose(1, 2) for vectors in both)
    if rotation is not None:
        rotate = sys.modules[type(attention).__module__].apply_rotary_pos_emb  # the family's own
        _, key = rotate(key[:, :0], key, *rotation)
    return key, value
