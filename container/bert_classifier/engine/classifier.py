"""The forward pass over a row of texts without padding; see modeling.packed for the same by transformers' code.

A pass over one text is some 250 operators of a few microseconds each. Called from Python they took a third of its time,
and left the interpreter's lock to other threads and waited for it as often: so torch.jit compiles the pass.
"""

import warnings
from collections.abc import Callable

import torch
from torch.nn import functional

from bert_classifier.engine.linear import Linear
from bert_classifier.engine.tensors import Classifier, Layer, Weights

_TOKENS_OF_A_CORE = 160  # whose values between two products stay in its cache
_CAUSE = "\nRuntimeError: "  # before the operator's own message, whatever its type was
_NO_ROW = "index out of range"
MakeLinear = Callable[[torch.Tensor, torch.Tensor], Linear]
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "relu": torch.relu,
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
        self.vocabulary, self.length = len(tensors.words), len(tensors.positions)
        self._pass = _compiled(_Pass(tensors, make_linear))

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Return logits, float32 (b, classes).

        Args:
            ids: int64 (tokens,).
            positions: as the model counts them, int64 (tokens,).
            lengths: tokens of each of the b texts.
        Raises:
            IndexError: for a token or a position without an embedding.
            RuntimeError: as by torch's operators, also where memory has run out.
        """
        most = _TOKENS_OF_A_CORE * torch.get_num_threads()
        try:
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined] # half a second to find nothing
                logits: torch.Tensor = self._pass(ids, positions, lengths, most)
        except RuntimeError as error:
            raise _as_by_operator(error) from None
        return logits


def _as_by_operator(error: RuntimeError) -> Exception:
    """Return the error of the operator alone, without the source code that torch.jit puts before it."""
    cause = str(error).rpartition(_CAUSE)[2].strip()
    if type(error) is not RuntimeError:  # such as OutOfMemoryError, whose type says more
        return error
    return IndexError(cause) if cause.startswith(_NO_ROW) else RuntimeError(cause)


def _compiled(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module as torch.jit's interpreter runs it: the same operators in the same order."""
    with warnings.catch_warnings():
        # torch.compile, which is to follow it, needs a C++ compiler in the image.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted: torch.nn.Module = torch.jit.script(module.eval())
    return scripted


class _Pass(torch.nn.Module):
    def __init__(self, tensors: Classifier, make_linear: MakeLinear) -> None:
        super().__init__()
        # Not the layers' tensors: what is joined or rounded would be held twice.
        self._words, self._positions = tensors.words, tensors.positions
        self._embedding_norm, self._projection = tensors.embedding_norm, tensors.projection
        self._epsilon = tensors.epsilon
        last = len(tensors.layers) - 1
        self._layers = torch.nn.ModuleList(
            _Layer(layer, tensors, make_linear, only_first=number == last)
            for number, layer in enumerate(tensors.layers)
        )
        self._dense, activation, self._last = tensors.head
        self._activation = _ACTIVATIONS[activation]

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int], most: int
    ) -> torch.Tensor:
        """Return logits, float32 (b, classes); see RowClassifier.

        Args:
            most: tokens that are computed at once, where attention does not need all of a text.
        """
        summed = torch.embedding(self._words, ids) + torch.embedding(self._positions, positions)
        hidden = _norm(summed, self._embedding_norm, self._epsilon)
        if self._projection is not None:
            hidden = functional.linear(hidden, self._projection[0], self._projection[1])
        for layer in self._layers:
            hidden = layer(hidden, lengths, most)
        dense = self._activation(functional.linear(hidden.float(), self._dense[0], self._dense[1]))
        return functional.linear(dense, self._last[0], self._last[1])


class _Layer(torch.nn.Module):
    """A layer of the encoder.

    Args:
        only_first: compute only the first token of each text, from keys and values of all tokens.
    """

    def __init__(
        self, layer: Layer, tensors: Classifier, make_linear: MakeLinear, *, only_first: bool
    ) -> None:
        super().__init__()
        self._heads, self._size = tensors.heads, len(layer.query[1]) // tensors.heads
        self._attention_norm, self._norm, self._epsilon = layer.attention_norm, layer.norm, tensors.epsilon
        joined = (layer.key, layer.value) if only_first else (layer.query, layer.key, layer.value)
        self._vectors = make_linear(*(torch.cat(parts) for parts in zip(*joined, strict=True)))
        self._query = make_linear(*layer.query) if only_first else None
        self._attended, self._up, self._down = (
            make_linear(*weights) for weights in (layer.attended, layer.up, layer.down)
        )

    def forward(self, hidden: torch.Tensor, lengths: list[int], most: int) -> torch.Tensor:
        """Return hidden states of all tokens, or of each text's first, from those of all tokens (tokens, width)."""
        vectors = self._vectors(hidden).float().split(lengths)
        attended: list[torch.Tensor] = []
        if self._query is None:
            for text in vectors:
                queries, keys, values = self._by_head(text)
                attended.append(self._attend(queries, keys, values))
        else:
            hidden = hidden.index_select(0, torch.tensor([0] + lengths[:-1]).cumsum(0))  # noqa: RUF005 - of torch.jit
            for text, first in zip(vectors, self._query(hidden).float().split(1), strict=False):
                keys, values = self._by_head(text)
                attended.append(self._attend(self._by_head(first)[0], keys, values))
        return self._in_groups(attended[0] if len(attended) == 1 else torch.cat(attended), hidden, most)

    def _in_groups(self, attended: torch.Tensor, hidden: torch.Tensor, most: int) -> torch.Tensor:
        """Return what follows attention, which is computed token by token, for some tokens at a time."""
        if len(hidden) <= most:
            return self._feed_forward(attended, hidden)
        groups = (len(hidden) + most - 1) // most
        parts = zip(attended.tensor_split(groups), hidden.tensor_split(groups), strict=True)
        return torch.cat([self._feed_forward(*part) for part in parts])

    def _feed_forward(self, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        middle = _norm(self._attended.plus(attended, hidden), self._attention_norm, self._epsilon)
        return _norm(self._down.plus(self._up.then_gelu(middle), middle), self._norm, self._epsilon)

    def _attend(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return what queries attend to within a text (queries, width), all by head (1, heads, tokens, size)."""
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        return attended[0].transpose(0, 1).flatten(1)

    def _by_head(self, vectors: torch.Tensor) -> list[torch.Tensor]:
        """Return each kind of vector that lies side by side as (1, heads, tokens, size); a list for torch.jit."""
        parts = vectors.view(1, len(vectors), -1, self._heads, self._size)
        return parts.permute(2, 0, 3, 1, 4).unbind()  # type: ignore[return-value]


def _norm(x: torch.Tensor, weights: Weights, epsilon: float) -> torch.Tensor:
    return torch.layer_norm(x, weights[0].shape, weights[0], weights[1], epsilon)
