"""A layer of the engine's encoders, over the tokens of texts that lie side by side."""

from collections.abc import Callable

import torch
from torch.nn import functional

from bert_classifier.engine.linear import Linear
from bert_classifier.engine.tensors import Classifier, Layer, NormWeights
from bert_classifier.modeling.local_attention import attend_within

MakeLinear = Callable[[torch.Tensor, torch.Tensor], Linear]


class FeedForward(torch.nn.Module):
    """Two products, with an activation between them and a gate where the network has one."""

    def __init__(self, up: Linear, down: Linear, activation: str, *, is_gated: bool) -> None:
        super().__init__()
        self._up, self._down, self._activation, self._is_gated = up, down, activation, is_gated
        self._ends_in_gelu = activation in ("gelu", "gelu_tanh") and not is_gated

    def forward(self, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Return what it computes of hidden, plus the residual, both (tokens, width)."""
        values = self._expanded(hidden)
        if self._ends_in_gelu:
            return self._down.plus_after_gelu(values, residual)
        return self._down.plus(values, residual)

    def _expanded(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the values between the two products."""
        if self._activation == "gelu" and not self._is_gated:
            return self._up.then_gelu(hidden)
        up = self._up(hidden)
        if not self._is_gated:
            return _activated(up, self._activation)
        half = up.shape[1] // 2
        return _activated(up.narrow(1, 0, half), self._activation).mul_(up.narrow(1, half, half))


class EncoderLayer(torch.nn.Module):
    """A layer of the encoder.

    Args:
        attended: the linear layer behind attention.
        networks: what follows it; see Layer.networks.
        only_first: compute only the first token of each text, from keys and values of all tokens.

    Attributes:
        places: which of Classifier.places it has.
    """

    def __init__(
        self,
        layer: Layer,
        tensors: Classifier,
        make_linear: MakeLinear,
        attended: Linear,
        networks: list[FeedForward],
        *,
        only_first: bool = False,
    ) -> None:
        super().__init__()
        self.places, self._window = layer.places, tensors.places[layer.places].window
        size = len(layer.query[1]) // tensors.heads
        self._size, self._first_parts = size, [len(layer.query[1]) // size]
        self._parts = [len(part[1]) // size for part in (layer.key, layer.value)]
        self._rotated = len(layer.key[1]) + (0 if only_first else len(layer.query[1]))
        self._norm_first = tensors.norm_first
        self._attention_norm = norm_of(layer.attention_norm, tensors.epsilon)
        self._norm = norm_of(layer.norm, tensors.epsilon)
        joined = (layer.key, layer.value) if only_first else (layer.query, layer.key, layer.value)
        self._vectors = make_linear(*(torch.cat(parts) for parts in zip(*joined, strict=True)))
        self._query = make_linear(*layer.query) if only_first else None
        self._attended, self._networks = attended, torch.nn.ModuleList(networks)

    def forward(
        self,
        hidden: torch.Tensor,
        lengths: list[int],
        most: int,
        mask: torch.Tensor | None,
        rotation: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return hidden states of all tokens, or of each text's first, from those of all tokens (tokens, width).

        Args:
            mask: from PlacesInRow, as is rotation.
        """
        read = self._attention_norm(hidden) if self._norm_first else hidden
        vectors = self._vectors(read).float()
        if rotation is not None:
            _rotate(vectors.narrow(1, 0, self._rotated), self._size, rotation)
        attended: list[torch.Tensor] = []
        if self._query is None:
            parts = self._first_parts + self._parts
            for text in vectors.split(lengths):
                queries, keys, values = self._by_head(text, parts)
                attended.append(_side_by_side(attend_within(queries, keys, values, None, self._window, mask)))
        else:
            firsts = torch.tensor([0] + lengths[:-1]).cumsum(0)  # noqa: RUF005 - of torch.jit
            hidden, read = hidden.index_select(0, firsts), read.index_select(0, firsts)
            queries_of_texts = self._query(read).float().split(1)  # at position 0, where nothing is rotated
            for text, first in zip(vectors.split(lengths), queries_of_texts, strict=False):
                keys, values = self._by_head(text, self._parts)
                attended.append(
                    self._of_first(self._by_head(first, self._first_parts)[0], keys, values, mask)
                )
        return self._in_groups(attended[0] if len(attended) == 1 else torch.cat(attended), hidden, most)

    def _of_first(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what a text's first token attends to (1, width)."""
        if self._window is not None:
            keys, values = keys[:, :, : self._window], values[:, :, : self._window]
        elif mask is not None:
            mask = mask[:, :, :1]
        return _side_by_side(attend_within(query, keys, values, None, None, mask))

    def _in_groups(self, attended: torch.Tensor, hidden: torch.Tensor, most: int) -> torch.Tensor:
        """Return what follows attention, which is computed token by token, for some tokens at a time."""
        if len(hidden) <= most:
            return self._behind_attention(attended, hidden)
        groups = (len(hidden) + most - 1) // most
        parts = zip(attended.tensor_split(groups), hidden.tensor_split(groups), strict=True)
        return torch.cat([self._behind_attention(*part) for part in parts])

    def _behind_attention(self, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        summed = self._attended.plus(attended, hidden)
        if self._norm_first:
            for network in self._networks:
                summed = network(self._norm(summed), summed)
            return summed
        normed: torch.Tensor = self._attention_norm(summed)
        for network in self._networks:
            normed = self._norm(network(normed, normed))
        return normed

    def _by_head(self, vectors: torch.Tensor, parts: list[int]) -> list[torch.Tensor]:
        """Return each kind of vector that lies side by side as (1, heads, tokens, size); a list for torch.jit.

        Args:
            parts: heads of each kind.
        """
        by_head: list[torch.Tensor] = (
            vectors.view(1, len(vectors), -1, self._size).transpose(1, 2).split(parts, 1)
        )
        return by_head


class _LayerNorm(torch.nn.Module):
    """LayerNorm, or RMSNorm without a bias."""

    def __init__(self, weights: NormWeights, epsilon: float) -> None:
        super().__init__()
        (self._weight, self._bias), self._epsilon = weights, epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (tokens, width), each token normalised."""
        if self._bias is None:
            return torch.rms_norm(x.float(), self._weight.shape, self._weight, self._epsilon)
        return torch.layer_norm(x, self._weight.shape, self._weight, self._bias, self._epsilon)


def norm_of(weights: NormWeights | None, epsilon: float) -> torch.nn.Module:
    """Return a norm that torch.jit compiles; without weights, one that changes nothing."""
    return torch.nn.Identity() if weights is None else _LayerNorm(weights, epsilon)


def _rotate(vectors: torch.Tensor, size: int, rotation: torch.Tensor) -> None:
    """Rotate queries and keys (tokens, heads · size) in place: each pair of neighbours, as a complex number."""
    torch.view_as_complex(vectors.view(len(vectors), -1, size // 2, 2)).mul_(rotation)


def _activated(x: torch.Tensor, activation: str) -> torch.Tensor:
    if activation == "silu":
        return functional.silu(x)
    return functional.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


def _side_by_side(attended: torch.Tensor) -> torch.Tensor:
    """Return vectors by head (1, heads, tokens, size) as (tokens, width)."""
    return attended[0].transpose(0, 1).flatten(1)
