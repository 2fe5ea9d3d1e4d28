"""The forward pass over a row of texts without padding; see modeling.packed for the same by transformers' code.

A pass over one text is some 250 operators of a few microseconds each. Called from Python they took a third of its time,
and left the interpreter's lock to other threads and waited for it as often: so torch.jit compiles the pass.
"""

import warnings
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional

from bert_classifier.engine.layer import EncoderLayer, FeedForward, MakeLinear, norm_of
from bert_classifier.engine.linear import Linear
from bert_classifier.engine.places import PlacesInRow
from bert_classifier.engine.tensors import Classifier, Layer

_TOKENS_OF_A_CORE = 160  # whose values between two products stay in its cache
_CAUSE = "\nRuntimeError: "  # before the operator's own message, whatever its type was
_NO_ROW = "index out of range"
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "relu": torch.relu,
    "tanh": torch.tanh,
}


class RowClassifier:
    """Computes logits of texts that lie side by side in one row of tokens.

    Where the head reads nothing but the first token of each text, the last layer computes keys and values of all
    tokens, and the rest only for these.

    Args:
        make_linear: makes the encoder's linear layers; embeddings, norms and the head stay as they are.
        is_joined: whether the compiled pass is one piece without calls, which takes longer to make.
        is_compiled: whether it is compiled at all, which pays from some dozens of texts on.

    Attributes:
        vocabulary: number of words.
        length: number of positions.
    """

    def __init__(
        self,
        tensors: Classifier,
        make_linear: MakeLinear,
        *,
        is_joined: bool = False,
        is_compiled: bool = True,
    ) -> None:
        self.vocabulary, self.length = len(tensors.words), tensors.length
        by_python = _Pass(tensors, make_linear)
        self._pass = _compiled(by_python, is_joined=is_joined) if is_compiled else by_python

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


def _compiled(module: torch.nn.Module, *, is_joined: bool) -> torch.nn.Module:
    """Return the module as torch.jit's interpreter runs it: the same operators in the same order."""
    with warnings.catch_warnings():
        # torch.compile, which is to follow it, needs a C++ compiler in the image.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted: torch.nn.Module = torch.jit.script(module.eval())
    if is_joined:
        torch._C._jit_pass_inline(scripted.graph)
    return scripted


class _Pass(torch.nn.Module):
    def __init__(self, tensors: Classifier, make_linear: MakeLinear) -> None:
        super().__init__()
        # Not the layers' tensors: what is joined or rounded would be held twice.
        self._words, self._positions = tensors.words, tensors.positions
        self._projection, self._pooling, self._length = tensors.projection, tensors.pooling, tensors.length
        self._is_rotary = tensors.is_rotary
        self._embedding_norm, self._final_norm, self._head_norm = (
            norm_of(weights, tensors.epsilon)
            for weights in (tensors.embedding_norm, tensors.final_norm, tensors.head.norm)
        )
        self._places = torch.nn.ModuleList(PlacesInRow(places) for places in tensors.places)
        self._layers = torch.nn.ModuleList(_layers(tensors, make_linear))
        self._dense, self._last = tensors.head.first, tensors.head.last
        self._activation = _ACTIVATIONS[tensors.head.activation]

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int], most: int
    ) -> torch.Tensor:
        """Return logits, float32 (b, classes); see RowClassifier.

        Args:
            most: tokens that are computed at once, where attention does not need all of a text.
        """
        hidden = self._embedding_norm(self._embedded(ids, positions))
        if self._projection is not None:
            hidden = functional.linear(hidden, self._projection[0], self._projection[1])
        masks: list[torch.Tensor | None] = []
        rotations: list[torch.Tensor | None] = []
        places_of_tokens = positions % self._length if self._is_rotary else positions
        for places in self._places:
            mask, rotation = places(places_of_tokens, max(lengths))
            masks.append(mask)
            rotations.append(rotation)
        for layer in self._layers:
            mask, rotation = masks[layer.places], rotations[layer.places]  # type: ignore[index]
            hidden = layer(hidden, lengths, most, mask, rotation)
        return self._logits(self._final_norm(hidden).float(), lengths)

    def _embedded(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of words and of what stands beside them: positions, or only their token types."""
        words = torch.embedding(self._words, ids)
        if self._positions is None:
            return words
        return words + torch.embedding(
            self._positions, positions // self._length if self._is_rotary else positions
        )

    def _logits(self, hidden: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        if self._pooling == "mean":
            hidden = _means(hidden, lengths)
        dense = self._activation(functional.linear(hidden, self._dense[0], self._dense[1]))
        logits = functional.linear(self._head_norm(dense), self._last[0], self._last[1])
        return _means(logits, lengths) if self._pooling == "late" else logits


def _layers(tensors: Classifier, make_linear: MakeLinear) -> Iterator[EncoderLayer]:
    """Yield the encoder's layers; those that are the same share their weights."""
    made: dict[int, EncoderLayer] = {}
    behind: dict[int, tuple[Linear, list[FeedForward]]] = {}
    last = len(tensors.layers) - 1 if tensors.pooling == "first" else None
    for number, layer in enumerate(tensors.layers):
        if id(layer) not in behind:
            behind[id(layer)] = make_linear(*layer.attended), [*_networks(layer, tensors, make_linear)]
        arguments = (layer, tensors, make_linear, *behind[id(layer)])
        if number == last:
            yield EncoderLayer(*arguments, only_first=True)
            return
        if id(layer) not in made:
            made[id(layer)] = EncoderLayer(*arguments)
        yield made[id(layer)]


def _networks(layer: Layer, tensors: Classifier, make_linear: MakeLinear) -> Iterator[FeedForward]:
    for up, down in layer.networks:
        yield FeedForward(make_linear(*up), make_linear(*down), tensors.activation, is_gated=tensors.is_gated)


def _means(values: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    """Return the mean of each text's tokens (b, width)."""
    return torch.stack([text.mean(0) for text in values.split(lengths)])
