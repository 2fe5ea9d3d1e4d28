"""A classifier of the engine in place of transformers' model, and its forward pass."""

import itertools
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.classifier import RowClassifier
from bert_classifier.engine.layer import MakeLinear
from bert_classifier.engine.linear import Int8Linear, PlainLinear, bf16_linear, float_linear
from bert_classifier.engine.tensors import Classifier, read_classifier
from bert_classifier.modeling.forward import Forward, Inputs
from bert_classifier.modeling.token_row import pack, positions_of_model
from bert_classifier.modeling.token_types import types_in_row

_LINEAR: dict[str, MakeLinear] = {"fp32": float_linear, "bf16": bf16_linear, "int8": Int8Linear}
_RELATIVE_WORK = {"fp32": 1.0, "bf16": 0.65, "int8": 0.6}  # per token; see tests/benchmarks/RESULTS.md


class EngineModel(torch.nn.Module):
    """A classifier that computes on the CPU by RowClassifier.

    Attributes:
        config: the fields of config.json as attributes, and num_labels.
        precision: fp32, bf16 or int8.
        work_per_token: multiplications of float32 that take as long as the products of a token.
        linear_layers: how many there are, one after the other or side by side.
        padding: the position of padding, behind which positions begin; None: they begin at 0.
        second_type: what the positions of tokens of type 1 are counted from; 0 without token types.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        tensors: Mapping[str, torch.Tensor],
        precision: str,
        *,
        has_token_types: bool = False,
        is_compiled: bool = True,
    ) -> None:
        """Take the fields of a config.json that can_compute allows, and float32 tensors as in model.safetensors.

        Args:
            is_compiled: if not, it is made in no time, of the tensors as they are, and computes slowly in float32.

        Raises:
            KeyError: when a field or a tensor is missing.
            TypeError: when a field is missing that is a number.
            IndexError: when there is no second token type, and texts have it.
        """
        super().__init__()
        classifier = read_classifier(config, tensors, has_token_types=has_token_types)
        self.config = SimpleNamespace(**{**config, "num_labels": len(classifier.head.last[1])})
        self.precision, self.padding = precision, classifier.padding
        self.device = torch.device("cpu")
        self.work_per_token = _RELATIVE_WORK[precision] * _products_of(classifier)
        # Products that are joined count as those that they join.
        self.linear_layers = 2 + sum(4 + 2 * len(layer.networks) for layer in classifier.layers)
        # int8's pass is 3 to 7 % shorter in one piece. The others would gain less, and start 0.4 CPU seconds later.
        self._row = RowClassifier(
            classifier,
            _LINEAR[precision] if is_compiled else PlainLinear,
            is_joined=precision == "int8",
            is_compiled=is_compiled,
        )
        self.second_type = classifier.length if has_token_types else 0
        self._words = torch.nn.Parameter(classifier.words, requires_grad=False)  # its kind is the model's

    def check_room(self, highest_id: int, max_length: int) -> None:
        """Raise a ValueError if a token or a position would have no embedding."""
        last = max_length - 1 + (0 if self.padding is None else self.padding + 1)
        if highest_id >= self._row.vocabulary or last >= self._row.length:
            raise ValueError("the tokenizer or max_seq_length does not fit the model")

    def row(self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Return logits, float32 (b, classes); see RowClassifier."""
        return self._row(ids, positions, lengths)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> SimpleNamespace:
        """Return an object with logits (b, classes), as transformers does, for ids (b, length) with padding.

        Args:
            token_type_ids: 0 up to some token of each text, and 1 from there on.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        lengths = mask.sum(dim=1).numpy()
        ends = np.concatenate([[0], np.cumsum(lengths)])
        seconds = None if token_type_ids is None else lengths - (token_type_ids * mask).sum(dim=1).numpy()
        ids = input_ids[mask.bool()].numpy()
        encoded = EncodedTexts(ids, ends, np.zeros(len(lengths), dtype=bool), seconds=seconds)
        return SimpleNamespace(logits=EngineForward(self)(encoded, np.arange(len(lengths))))


class EngineForward(Forward):
    """Computes logits with the engine, in place of Forward."""

    is_padded = False

    def __init__(self, model: EngineModel) -> None:
        super().__init__(model, 0, model.device, "fp32")

    def inputs(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows."""
        inputs = self.arrays(encoded, windows)
        return {
            "ids": torch.from_numpy(inputs["ids"]),
            "positions": torch.from_numpy(inputs["positions"]),
            "lengths": inputs["lengths"],
        }

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows."""
        ids, places, ends = pack(encoded, windows)
        positions = positions_of_model(ids, places, self.model.padding)  # type: ignore[arg-type]
        types = types_in_row(encoded, windows, places)
        if types is not None:
            positions = positions + types * self.model.second_type
        return {"ids": ids[0], "positions": positions[0], "lengths": (ends[1:] - ends[:-1]).tolist()}

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        logits: torch.Tensor = self.model.row(**inputs)  # type: ignore[operator]
        return logits


def _products_of(classifier: Classifier) -> int:
    """Return how many weights a token is multiplied with; the last layer is counted in full."""
    return sum(
        weight.numel()
        for layer in classifier.layers
        for weight, _ in (
            layer.query,
            layer.key,
            layer.value,
            layer.attended,
            *itertools.chain(*layer.networks),
        )
    )
