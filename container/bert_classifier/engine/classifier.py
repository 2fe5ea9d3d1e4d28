"""The forward pass over a row of texts without padding; see modeling.packed for the same by transformers' code."""

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from bert_classifier.engine.linear import Linear
from bert_classifier.engine.tensors import Classifier, Layer, Weights

MakeLinear = Callable[[torch.Tensor, torch.Tensor], Linear]
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "tanh": torch.tanh,
}


class RowClassifier:
    """Computes logits of texts that lie side by side in one row of tokens.

    The last layer computes keys and values of all tokens, and the rest only for the first token of each text: heads
    read nothing else.

    Args:
        make_linear: makes the encoder's linear layers; embeddings, norms and the head stay as they are.

    Attributes:
        vocabulary: number of words.
        length: number of positions.
    """

    def __init__(self, tensors: Classifier, make_linear: MakeLinear) -> None:
        # Not the layers' tensors: what is joined or rounded would be held twice.
        self._words, self._positions = tensors.words, tensors.positions
        self.vocabulary, self.length = len(tensors.words), len(tensors.positions)
        self._embedding_norm, self._projection = tensors.embedding_norm, tensors.projection
        self._head, self._epsilon = tensors.head, tensors.epsilon
        last = len(tensors.layers) - 1
        self._layers = [
            _Layer(layer, tensors, make_linear, only_first=number == last)
            for number, layer in enumerate(tensors.layers)
        ]
        self._activation = _ACTIVATIONS[tensors.head[1]]

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return logits, float32 (b, classes).

        Args:
            ids: int64 (tokens,).
            positions: as the model counts them, int64 (tokens,).
            lengths: tokens of each of the b texts.
        """
        hidden = self._embed(ids, positions)
        for layer in self._layers:
            hidden = layer(hidden, lengths)
        dense, _, last = self._head
        return functional.linear(self._activation(functional.linear(hidden, *dense)), *last)

    def _embed(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        summed = functional.embedding(ids, self._words) + functional.embedding(positions, self._positions)
        embedded = _norm(summed, self._embedding_norm, self._epsilon)
        return embedded if self._projection is None else functional.linear(embedded, *self._projection)


class _Layer:
    """A layer of the encoder.

    Args:
        only_first: compute only the first token of each text, from keys and values of all tokens.
    """

    def __init__(
        self, layer: Layer, tensors: Classifier, make_linear: MakeLinear, *, only_first: bool
    ) -> None:
        self._heads, self._epsilon = tensors.heads, tensors.epsilon
        self._attention_norm, self._norm = layer.attention_norm, layer.norm
        joined = (layer.key, layer.value) if only_first else (layer.query, layer.key, layer.value)
        self._vectors = make_linear(*(torch.cat(parts) for parts in zip(*joined, strict=True)))
        self._query = make_linear(*layer.query) if only_first else None
        self._attended, self._up, self._down = (
            make_linear(*weights) for weights in (layer.attended, layer.up, layer.down)
        )

    def __call__(self, hidden: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return hidden states of all tokens, or of each text's first, from those of all tokens (tokens, width)."""
        vectors = self._vectors(hidden).split(hidden.shape[1], dim=1)
        if self._query is None:
            attended = self._attend(vectors, lengths, lengths)
        else:
            hidden = hidden.index_select(0, torch.tensor([0, *lengths[:-1]]).cumsum(0))
            attended = self._attend((self._query(hidden), *vectors), [1] * len(lengths), lengths)
        middle = _norm(self._attended(attended) + hidden, self._attention_norm, self._epsilon)
        return _norm(self._down(functional.gelu(self._up(middle))) + middle, self._norm, self._epsilon)

    def _attend(
        self, vectors: Sequence[torch.Tensor], asking: Sequence[int], lengths: Sequence[int]
    ) -> torch.Tensor:
        """Attend within texts.

        Args:
            vectors: queries, keys and values, (tokens, width) each.
            asking: queries of each text.
            lengths: tokens of each text.
        """
        counts = (asking, lengths, lengths)
        texts = zip(*map(self._by_text, vectors, counts), strict=True)
        attended = [functional.scaled_dot_product_attention(*text) for text in texts]
        return torch.cat(attended, dim=2)[0].transpose(0, 1).flatten(1)

    def _by_text(self, vectors: torch.Tensor, lengths: Sequence[int]) -> Sequence[torch.Tensor]:
        """Return (1, heads, tokens, size) for each text."""
        return torch.split(
            vectors.unflatten(1, (self._heads, -1)).transpose(0, 1)[None], list(lengths), dim=2
        )


def _norm(x: torch.Tensor, weights: Weights, epsilon: float) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:], *weights, epsilon)
