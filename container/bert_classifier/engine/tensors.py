"""The tensors of a classifier's checkpoint, by what they do: families differ in names, not in the computation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from bert_classifier.modeling.layer_names import LAYER_NAMES

Tensors = Mapping[str, torch.Tensor]
Weights = tuple[torch.Tensor, torch.Tensor]  # weight and bias


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of the encoder: attention and a feed-forward network, each followed by a norm (Vaswani et al. 2017)."""

    query: Weights
    key: Weights
    value: Weights
    attended: Weights
    attention_norm: Weights
    up: Weights
    down: Weights
    norm: Weights


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A classifier of the BERT kind.

    Attributes:
        words: embeddings (vocabulary, width).
        positions: embeddings of positions, each with that of the first token type (positions, width); for token types,
            behind them those with the second (2 · positions, width).
        padding: the padding token, at whose id RoBERTa has its position, and behind it those of texts; else None.
        projection: from the embeddings' width to the layers', where they differ.
        head: the first layer, the name of its activation, and the last layer.
    """

    words: torch.Tensor
    positions: torch.Tensor
    padding: int | None
    embedding_norm: Weights
    projection: Weights | None
    layers: list[Layer]
    head: tuple[Weights, str, Weights]
    heads: int
    epsilon: float


@dataclasses.dataclass(frozen=True)
class _Names:
    """The encoder's name in a family, and its head: first layer, activation, last layer."""

    encoder: str
    head: tuple[str, str, str]


_ROBERTA = _Names("roberta", ("classifier.dense", "tanh", "classifier.out_proj"))
_FAMILIES = {
    "bert": _Names("bert", ("bert.pooler.dense", "tanh", "classifier")),
    "distilbert": _Names("distilbert", ("pre_classifier", "relu", "classifier")),
    "electra": _Names("electra", ("classifier.dense", "gelu", "classifier.out_proj")),
    **dict.fromkeys(("camembert", "roberta", "xlm-roberta"), _ROBERTA),
}
# DistilBERT's names of settings.
_IN_DISTILBERT = {
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
    "hidden_act": "activation",
}


def can_compute(config: Mapping[str, Any]) -> bool:
    """Return whether the engine computes a model, by the fields of its config.json."""
    absolute = config.get("position_embedding_type") in (None, "absolute")
    is_known = config.get("model_type") in _FAMILIES and _setting(config, "hidden_act") == "gelu"
    return is_known and absolute and not config.get("is_decoder")


def _setting(config: Mapping[str, Any], name: str) -> Any:
    return config.get(name, config.get(_IN_DISTILBERT.get(name, name)))


def read_classifier(
    config: Mapping[str, Any], tensors: Tensors, *, has_token_types: bool = False
) -> Classifier:
    """Return a classifier that can_compute allows.

    Args:
        config: the fields of its config.json.
        tensors: as in its model.safetensors.
        has_token_types: whether texts have tokens of the second type.
    Raises:
        KeyError: when a tensor is missing.
    """
    names = _FAMILIES[config["model_type"]]

    def weights(name: str) -> Weights:
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    embeddings = f"{names.encoder}.embeddings"
    projection = f"{names.encoder}.embeddings_project"
    layers, *parts = dataclasses.astuple(LAYER_NAMES[config["model_type"]])
    head, activation, last = names.head
    return Classifier(
        words=tensors[f"{embeddings}.word_embeddings.weight"],
        positions=_positions(tensors, embeddings, 2 if has_token_types else 1),
        padding=int(config["pad_token_id"]) if names is _ROBERTA else None,
        embedding_norm=weights(f"{embeddings}.LayerNorm"),
        projection=weights(projection) if f"{projection}.weight" in tensors else None,
        layers=[
            Layer(*(weights(f"{names.encoder}.{layers}.{number}.{part}") for part in parts))
            for number in range(int(_setting(config, "num_hidden_layers")))
        ],
        head=(weights(head), activation, weights(last)),
        heads=int(_setting(config, "num_attention_heads")),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
    )


def _positions(tensors: Tensors, embeddings: str, count: int) -> torch.Tensor:
    positions = tensors[f"{embeddings}.position_embeddings.weight"]
    name = f"{embeddings}.token_type_embeddings.weight"
    if count == 1:
        return positions + tensors[name][0] if name in tensors else positions
    return torch.cat([positions + tensors[name][kind] for kind in range(count)])
