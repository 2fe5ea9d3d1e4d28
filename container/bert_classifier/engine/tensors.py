"""The tensors of a classifier's checkpoint, by what they do: families differ in names, and little else."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from bert_classifier.engine.families import (
    ACTIVATIONS,
    POOLING,
    Config,
    Positions,
    family_in_file,
    kinds_of_layers,
    layer_kinds,
    name_of_words,
)
from bert_classifier.engine.places import Places, biases_of_distances, frequencies_of, in_pairs

Tensors = Mapping[str, torch.Tensor]
Weights = tuple[torch.Tensor, torch.Tensor]  # weight and bias
NormWeights = tuple[torch.Tensor, torch.Tensor | None]  # without a bias it is RMSNorm


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of the encoder: attention and a feed-forward network (Vaswani et al. 2017).

    Attributes:
        attention_norm: follows attention, or precedes it where norms come first; None: there is none.
        networks: the feed-forward network's first part and its second, behind it those of an adapter, where layers have
            one (Pfeiffer et al. 2022). The first part of a gated network is the activated half, then what it is
            multiplied with.
        norm: precedes or follows each network.
        places: which of Classifier.places it has.
    """

    query: Weights
    key: Weights
    value: Weights
    attended: Weights
    attention_norm: NormWeights | None
    networks: list[tuple[Weights, Weights]]
    norm: NormWeights
    places: int


@dataclasses.dataclass(frozen=True)
class HeadWeights:
    """A classification head: a layer, the name of its activation, a norm where there is one, and the last layer."""

    first: Weights
    activation: str
    norm: NormWeights | None
    last: Weights


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A classifier.

    Attributes:
        words: embeddings (vocabulary, width).
        positions: embeddings of positions, each with that of the first token type (positions, width); for token types,
            behind them those with the second (2 · positions, width). Where positions are rotary, the embeddings of
            token types, or None.
        is_rotary: whether queries and keys are rotated by their positions.
        length: how many positions there are.
        padding: the padding token, at whose id RoBERTa has its position, and behind it those of texts; else None.
        projection: from the embeddings' width to the layers', where they differ.
        layers: in the order in which they compute; one may come several times.
        pooling: what the head reads of each text: "first", "mean", or "late" for the mean of its tokens' logits.
    """

    words: torch.Tensor
    positions: torch.Tensor | None
    is_rotary: bool
    length: int
    padding: int | None
    embedding_norm: NormWeights | None
    projection: Weights | None
    layers: list[Layer]
    places: list[Places]
    final_norm: NormWeights | None
    head: HeadWeights
    heads: int
    epsilon: float
    activation: str
    is_gated: bool
    norm_first: bool
    pooling: str


def read_classifier(config: Config, tensors: Tensors, *, has_token_types: bool = False) -> Classifier:
    """Return a classifier that can_compute allows.

    Args:
        config: the fields of its config.json.
        tensors: as in its model.safetensors.
        has_token_types: whether texts have tokens of the second type.
    Raises:
        KeyError: when a field or a tensor is missing.
        TypeError: when a field is missing that is a number.
        ValueError: when there are no layers.
    """
    return _Reader(config, tensors).classifier(2 if has_token_types else 1)


class _Reader:
    def __init__(self, config: Config, tensors: Tensors) -> None:
        self._config, self._tensors = config, tensors
        self._family, self._names = family_in_file(config, tensors)
        self._heads = int(self._setting("num_attention_heads"))
        self._size = int(config.get("head_dim") or config.get("hidden_size", 0) // self._heads)
        is_rotary = self._family.positions is Positions.ROTARY
        self._kinds = kinds_of_layers(config) if is_rotary else {"": (0.0, None)}

    def classifier(self, types: int) -> Classifier:
        """Return the classifier for texts with so many token types."""
        config, family = self._config, self._family
        positions, is_rotary = self._positions(types), family.positions is Positions.ROTARY
        table = None if is_rotary else positions
        length = int(config["max_position_embeddings"]) if table is None else len(table) // types
        projection = self._of_encoder(family.projection)
        return Classifier(
            words=self._tensors[name_of_words(config)],
            positions=positions,
            is_rotary=is_rotary,
            length=length,
            padding=int(config[family.padding]) if isinstance(family.padding, str) else family.padding,
            embedding_norm=self._norm(self._of_encoder(family.embedding_norm)),
            projection=self._weights(projection) if f"{projection}.weight" in self._tensors else None,
            layers=self._layers(),
            places=self._places(length),
            final_norm=self._norm(self._of_encoder(family.final_norm)),
            head=self._head(),
            heads=self._heads,
            epsilon=float(family.epsilon or self._setting("layer_norm_eps")),
            activation=ACTIVATIONS[self._setting("hidden_act")],
            is_gated=family.is_gated,
            norm_first=family.norm_first,
            pooling=config[POOLING]
            if config.get(POOLING) in {"mean", "late"} & {*family.poolings}
            else "first",
        )

    def _setting(self, name: str) -> Any:
        return self._family.setting(self._config, name)

    def _of_encoder(self, name: str) -> str:
        return f"{self._family.encoder}.{name}" if name else ""

    def _weights(self, name: str) -> Weights:
        weight = self._tensors[f"{name}.weight"]
        if not self._family.has_all_biases and f"{name}.bias" not in self._tensors:
            return weight, torch.zeros(len(weight))
        return weight, self._tensors[f"{name}.bias"]

    def _norm(self, name: str) -> NormWeights | None:
        if not name:
            return None
        return self._weights(name) if self._family.is_centred else (self._tensors[f"{name}.weight"], None)

    def _positions(self, types: int) -> torch.Tensor | None:
        """Return the embeddings of positions with those of token types added, or the latter alone."""
        embeddings = self._of_encoder("embeddings")
        name = f"{embeddings}.token_type_embeddings.weight"
        kinds = self._tensors[name][:types] if name in self._tensors else None
        if self._family.positions is Positions.ROTARY:
            return kinds
        positions = self._tensors[f"{embeddings}.position_embeddings.weight"]
        task = f"{embeddings}.task_type_embeddings.weight"
        if task in self._tensors:  # ERNIE's, for which texts that name no task have the first one
            positions = positions + self._tensors[task][0]
        if kinds is None and types == 1:
            return positions
        return torch.cat([positions + kind for kind in self._tensors[name][:types]])

    def _layers(self) -> list[Layer]:
        read: dict[str, Layer] = {}
        paths = self._names.paths(self._config)
        if not paths:  # then no layer would reduce texts to their first token
            raise ValueError("there are no layers")
        for number, path in enumerate(paths):
            if path not in read:
                read[path] = self._layer(self._of_encoder(path), number)
        return [read[path] for path in paths]

    def _layer(self, path: str, number: int) -> Layer:
        names = self._names
        query, key, value = self._attention(path)
        is_normed = number > 0 or f"{path}.{names.attention_norm}.weight" in self._tensors
        norm = self._norm(f"{path}.{names.norm}")
        may_lack = self._family.norm_first and not self._family.has_all_biases
        if norm is None or not (is_normed or may_lack):
            raise KeyError(path)
        return Layer(
            query=query,
            key=key,
            value=value,
            attended=self._weights(f"{path}.{names.attended}"),
            attention_norm=self._norm(f"{path}.{names.attention_norm}") if is_normed else None,
            networks=[*self._networks(path)],
            norm=norm,
            places=[*self._kinds].index(layer_kinds(self._config)[number] if self._family.has_kinds else ""),
        )

    def _networks(self, path: str) -> Iterator[tuple[Weights, Weights]]:
        yield _joined(self._parts_of_up(path)), self._weights(f"{path}.{self._names.down}")
        if adapter := self._names.adapter_of(self._config):
            first, second = (self._weights(f"{path}.{name}") for name in adapter)
            yield first, second

    def _parts_of_up(self, path: str) -> Iterator[Weights]:
        """Yield the parts of the feed-forward network's first product, the one that is activated first."""
        names = [name for name in (self._names.gate, self._names.up) if name]
        if not self._family.gate_is_last:
            yield from (self._weights(f"{path}.{name}") for name in names)
            return
        weight, bias = self._weights(f"{path}.{names[0]}")
        yield from zip(reversed(weight.chunk(2)), reversed(bias.chunk(2)), strict=True)

    def _attention(self, path: str) -> Iterator[Weights]:
        """Yield weights of queries, keys and values; those that are rotated with their pairs side by side."""
        names = (self._names.query, self._names.key, self._names.value)
        if len({*names}) == 1:
            weight, bias = self._weights(f"{path}.{names[0]}")
            parts: Iterable[Weights] = zip(weight.chunk(3), bias.chunk(3), strict=True)
        else:
            parts = (self._weights(f"{path}.{name}") for name in names)
        for number, (weight, bias) in enumerate(parts):
            if number < 2 and self._family.positions is Positions.ROTARY:
                yield in_pairs(weight, self._size), in_pairs(bias, self._size)
            else:
                yield weight, bias

    def _places(self, length: int) -> list[Places]:
        if self._family.positions is Positions.DISTANCES:
            table = self._tensors[self._of_encoder("encoder.relative_attention_bias.weight")]
            return [Places(distances=biases_of_distances(table, length))]
        if self._family.positions is Positions.LEARNED:
            return [Places()]
        return [Places(window, frequencies_of(base, self._size)) for base, window in self._kinds.values()]

    def _head(self) -> HeadWeights:
        head = self._family.head
        return HeadWeights(
            self._weights(head.first), head.activation, self._norm(head.norm), self._weights(head.last)
        )


def _joined(parts: Iterable[Weights]) -> Weights:
    weights, biases = zip(*parts, strict=True)
    return (weights[0], biases[0]) if len(weights) == 1 else (torch.cat(weights), torch.cat(biases))
