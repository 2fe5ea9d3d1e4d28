"""The forward pass over a row of texts without padding; see modeling.packed for the same by transformers' code."""

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from bert_classifier.engine.linear import Linear
from bert_classifier.engine.tensors import Classifier, Layer, Weights

_TOKENS_OF_A_CORE = 160  # whose values between two products stay in its cache
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
        return functional.linear(self._activation(functional.linear(hidden.float(), *dense)), *last)

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
        self._size = len(layer.query[1]) // tensors.heads
        self._attention_norm, self._norm = layer.attention_norm, layer.norm
        joined = (layer.key, layer.value) if only_first else (layer.query, layer.key, layer.value)
        self._vectors = make_linear(*(torch.cat(parts) for parts in zip(*joined, strict=True)))
        self._query = make_linear(*layer.query) if only_first else None
        self._attended, self._up, self._down = (
            make_linear(*weights) for weights in (layer.attended, layer.up, layer.down)
        )

    def __call__(self, hidden: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return hidden states of all tokens, or of each text's first, from those of all tokens (tokens, width)."""
        vectors = self._vectors(hidden).float()
        if self._query is None:
            attended = [self._attend(text) for text in vectors.split(lengths)]
        else:
            hidden = hidden.index_select(0, torch.tensor([0, *lengths[:-1]]).cumsum(0))
            asking = self._query(hidden).float().split(1)
            attended = [self._attend(*text) for text in zip(vectors.split(lengths), asking, strict=True)]
        together = attended[0] if len(attended) == 1 else torch.cat(attended)
        groups = -(-len(hidden) // (_TOKENS_OF_A_CORE * torch.get_num_threads()))
        parts = zip(together.tensor_split(groups), hidden.tensor_split(groups), strict=True)
        done = [self._feed_forward(*part) for part in parts]
        return done[0] if groups == 1 else torch.cat(done)

    def _feed_forward(self, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return what follows attention, which is computed token by token."""
        middle = _norm(self._attended.plus(attended, hidden), self._attention_norm, self._epsilon)
        return _norm(self._down.plus(self._up.then_gelu(middle), middle), self._norm, self._epsilon)

    def _attend(self, vectors: torch.Tensor, asking: torch.Tensor | None = None) -> torch.Tensor:
        """Attend within a text; return (queries, width).

        Args:
            vectors: queries, keys and values of all tokens, or keys and values, side by side (tokens, 2 or 3 × width).
            asking: queries, where they are not among the vectors.
        """
        asked = () if asking is None else self._by_head(asking)
        queries, keys, values = (*asked, *self._by_head(vectors))
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        return attended[0].transpose(0, 1).flatten(1)

    def _by_head(self, vectors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return each kind of vector that lies side by side as (1, heads, tokens, size)."""
        parts = vectors.view(1, len(vectors), -1, self._heads, self._size)
        return parts.permute(2, 0, 3, 1, 4).unbind()


def _norm(x: torch.Tensor, weights: Weights, epsilon: float) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:], *weights, epsilon)
