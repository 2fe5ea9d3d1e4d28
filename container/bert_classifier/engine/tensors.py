"""The tensors of a classifier's checkpoint, by what they do: families differ in names, not in the computation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

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
        positions: embeddings of positions, with that of the first token type (positions, width).
        padding: the padding token, at whose id RoBERTa has its position, and behind it those of texts; else None.
        projection: from the embeddings' width to the layers', where they differ.
        head: the first layer, the name of its activation, and the last layer.
        activation: name of the feed-forward networks' activation.
    """

    words: torch.Tensor
    positions: torch.Tensor
    padding: int | None
    embedding_norm: Weights
    projection: Weights | None
    layers: list[Layer]
    head: tuple[Weights, str, Weights]
    activation: str
    heads: int
    epsilon: float


@dataclasses.dataclass(frozen=True)
class _Names:
    """Names of a family's tensors; those of a layer follow its number."""

    encoder: str
    layer: str
    head: tuple[str, str, str]
    parts: tuple[str, ...] = (
        "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
        "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
    )  # fmt: skip
    begins_behind_padding: bool = False


_ROBERTA = _Names(
    "roberta",
    "encoder.layer",
    ("classifier.dense", "tanh", "classifier.out_proj"),
    begins_behind_padding=True,
)
_FAMILIES = {
    "bert": _Names("bert", "encoder.layer", ("bert.pooler.dense", "tanh", "classifier")),
    "electra": _Names("electra", "encoder.layer", ("classifier.dense", "gelu", "classifier.out_proj")),
    "distilbert": _Names(
        "distilbert",
        "transformer.layer",
        ("pre_classifier", "relu", "classifier"),
        (
            "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm",
            "ffn.lin1", "ffn.lin2", "output_layer_norm",
        ),
    ),
    **dict.fromkeys(("camembert", "roberta", "xlm-roberta"), _ROBERTA),
}  # fmt: skip
# DistilBERT's names of settings.
_WIDTHS = {"num_attention_heads": "n_heads", "num_hidden_layers": "n_layers", "hidden_act": "activation"}


def can_compute(config: Mapping[str, Any]) -> bool:
    """Return whether the engine computes a model, by the fields of its config.json."""
    absolute = config.get("position_embedding_type") in (None, "absolute")
    is_known = config.get("model_type") in _FAMILIES and _setting(config, "hidden_act") == "gelu"
    return is_known and absolute and not config.get("is_decoder")


def _setting(config: Mapping[str, Any], name: str) -> Any:
    return config.get(name, config.get(_WIDTHS.get(name, name)))


def read_classifier(config: Mapping[str, Any], tensors: Tensors) -> Classifier:
    """Return a classifier that can_compute allows.

    Args:
        config: the fields of its config.json.
        tensors: as in its model.safetensors.
    Raises:
        KeyError: when a tensor is missing.
    """
    names = _FAMILIES[config["model_type"]]

    def weights(name: str) -> Weights:
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    embeddings = f"{names.encoder}.embeddings"
    projection = f"{names.encoder}.embeddings_project"
    layers = range(int(_setting(config, "num_hidden_layers")))
    head, activation, last = names.head
    return Classifier(
        words=tensors[f"{embeddings}.word_embeddings.weight"],
        positions=_positions(tensors, embeddings),
        padding=int(config["pad_token_id"]) if names.begins_behind_padding else None,
        embedding_norm=weights(f"{embeddings}.LayerNorm"),
        projection=weights(projection) if f"{projection}.weight" in tensors else None,
        layers=[
            Layer(*(weights(f"{names.encoder}.{names.layer}.{number}.{part}") for part in names.parts))
            for number in layers
        ],
        head=(weights(head), activation, weights(last)),
        activation="gelu",
        heads=int(_setting(config, "num_attention_heads")),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
    )


def _positions(tensors: Tensors, embeddings: str) -> torch.Tensor:
    positions = tensors[f"{embeddings}.position_embeddings.weight"]
    types = tensors.get(f"{embeddings}.token_type_embeddings.weight")
    return positions if types is None else positions + types[0]
