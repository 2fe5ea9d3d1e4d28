"""What the padding-free pass must know of a family: where a text's positions begin, and where its head reads.

A head reads one vector per text: its first token, or the mean of its tokens. The module after which no token needs
another one reduces the row to these vectors, where the head expects them.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from bert_classifier.modeling.last_layer import let_last_layer_compute_firsts
from bert_classifier.modeling.local_attention import BLOCKS_FROM
from bert_classifier.modeling.packed_attention import TextLayout, texts_in_row

# model → (module after which the row is reduced, how)
_Reading = Callable[[Any], tuple[torch.nn.Module, str]]


def _after(path: str) -> _Reading:
    return lambda model: (model.base_model.get_submodule(path), "first")


def _after_last_layer(model: Any) -> tuple[torch.nn.Module, str]:
    return model.base_model.layers[model.config.num_hidden_layers - 1], "first"


def _by_pooling(model: Any) -> tuple[torch.nn.Module, str]:
    return model.base_model.final_norm, "mean" if model.config.classifier_pooling == "mean" else "first"


def _eurobert(model: Any) -> tuple[torch.nn.Module, str]:
    if model.classifier_pooling == "late":  # the mean of the tokens' logits
        return model.classifier, "mean"
    return model.base_model.norm, "mean" if model.classifier_pooling == "mean" else "first"


_READINGS: dict[str, _Reading] = {
    **dict.fromkeys(
        (
            "albert", "bert", "camembert", "data2vec-text", "electra", "ernie", "mpnet", "roberta",
            "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
        ),
        _after("encoder"),
    ),
    "distilbert": _after("transformer"),
    **dict.fromkeys(("gte", "jina_embeddings_v3", "nomic_bert"), _after_last_layer),
    "modernbert": _by_pooling,
    "eurobert": _eurobert,
}  # fmt: skip
_ONLY_ON_CPUS = frozenset({"mpnet"})  # the kernel for GPUs adds nothing to the scores

PACKED_FAMILIES = frozenset(_READINGS)


def can_be_packed(model_type: str, device_type: str) -> bool:
    """Return whether a family has a padding-free pass on such a device."""
    return model_type in _READINGS and not (device_type != "cpu" and model_type in _ONLY_ON_CPUS)


def padding_position(model: Any) -> int | None:
    """Return the position of padding, behind which texts begin in RoBERTa and its kin; None: they begin at 0.

    It is also the id of the padding token.
    """
    padding = getattr(getattr(model.base_model, "embeddings", None), "padding_idx", None)
    return None if padding is None else int(padding)


def longest_to_prove(model: Any) -> int:
    """Return the tokens of a text that local layers compute in another way than short ones; 0 without such layers."""
    windows = [
        module.sliding_window
        for module in model.modules()
        if getattr(module, "sliding_window", None) is not None
    ]
    longest = BLOCKS_FROM * max(windows, default=0)
    return min(longest + 1, model.config.max_position_embeddings) if longest else 0


def let_head_read_row(model: Any) -> None:
    """Let a classifier reduce a row of texts to what its head reads; a padded pass stays as it is."""
    module, how = _READINGS[model.config.model_type](model)
    if how == "first" and let_last_layer_compute_firsts(model):
        how = "given"
    if not any(getattr(hook, "func", None) is _reduce for hook in module._forward_hooks.values()):
        module.register_forward_hook(functools.partial(_reduce, how))
    if model.config.model_type == "mpnet":
        from bert_classifier.modeling.packed_mpnet import let_mpnet_attend  # its import takes time

        let_mpnet_attend(model.base_model.encoder)


def _reduce(how: str, module: torch.nn.Module, inputs: Any, output: Any) -> Any:
    """Reduce packed hidden states (1, tokens, size) to (b, 1, size).

    Args:
        how: "given" where these are of the first tokens already, unless the last layer computes all.
    """
    texts = texts_in_row()
    if texts is None:
        return output
    is_tensor = isinstance(output, torch.Tensor)
    hidden = (output if is_tensor else output.last_hidden_state).squeeze(0)
    reduced = _REDUCED[how](hidden, texts).unsqueeze(1)
    if is_tensor:
        return reduced
    output.last_hidden_state = reduced
    return output


def _given(hidden: torch.Tensor, texts: TextLayout) -> torch.Tensor:
    return _first(hidden, texts) if texts.is_last_layer_full else hidden


def _first(hidden: torch.Tensor, texts: TextLayout) -> torch.Tensor:
    return hidden.index_select(0, texts.firsts(len(hidden)))


def _mean(hidden: torch.Tensor, texts: TextLayout) -> torch.Tensor:
    # In float32: the sum of thousands of tokens has no room in the 8 bits of bf16.
    means = torch.segment_reduce(
        hidden.float() if hidden.dtype != torch.float64 else hidden,
        "mean", lengths=texts.begins.diff().long(), axis=0, unsafe=True,
    )  # fmt: skip
    return means.to(hidden.dtype)


_REDUCED = {"given": _given, "first": _first, "mean": _mean}
