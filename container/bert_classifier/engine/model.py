"""A classifier of the engine in place of transformers' model, and its forward pass."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.classifier import MakeLinear, RowClassifier
from bert_classifier.engine.linear import FloatLinear, Int8Linear
from bert_classifier.engine.tensors import can_compute, read_classifier
from bert_classifier.modeling.forward import Forward, Inputs
from bert_classifier.modeling.token_row import pack, positions_of_model

_LINEAR: dict[str, MakeLinear] = {"fp32": FloatLinear, "int8": Int8Linear}


class EngineModel(torch.nn.Module):
    """A classifier that computes on the CPU by RowClassifier.

    Attributes:
        config: the model's, of transformers.
        precision: fp32 or int8.
        padding: the position of padding, behind which positions begin; None: they begin at 0.
    """

    def __init__(self, config: Any, tensors: Mapping[str, torch.Tensor], precision: str) -> None:
        super().__init__()
        classifier = read_classifier(config.to_dict(), tensors)
        self.config, self.precision, self.padding = config, precision, classifier.padding
        self.device = torch.device("cpu")
        self._row = RowClassifier(classifier, _LINEAR[precision])
        self._words = torch.nn.Parameter(classifier.words, requires_grad=False)  # its kind is the model's

    @classmethod
    def of(cls, model: Any, precision: str) -> Self | None:
        """Return a classifier with the tensors of a float32 model on the CPU; None if the engine has no such family."""
        is_known = can_compute(model.config.to_dict())
        return cls(model.config, model.state_dict(), precision).eval() if is_known else None

    def row(self, ids: torch.Tensor, positions: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Return logits, float32 (b, classes); see RowClassifier."""
        return self._row(ids, positions, lengths)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits (b, classes), as transformers does, for ids (b, length) with padding."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        lengths = mask.sum(dim=1).numpy()
        ends = np.concatenate([[0], np.cumsum(lengths)])
        encoded = EncodedTexts(input_ids[mask.bool()].numpy(), ends, np.zeros(len(lengths), dtype=bool))
        return SimpleNamespace(logits=EngineForward(self)(encoded, np.arange(len(lengths))))


class EngineForward(Forward):
    """Computes logits with the engine, in place of Forward."""

    is_padded = False

    def __init__(self, model: EngineModel) -> None:
        super().__init__(model, 0, model.device, "fp32")

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows."""
        ids, positions, ends = pack(encoded, windows)
        positions = positions_of_model(ids, positions, self.model.padding)  # type: ignore[arg-type]
        return {"ids": ids[0], "positions": positions[0], "lengths": np.diff(ends).tolist()}

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        logits: torch.Tensor = self.model.row(**inputs)  # type: ignore[operator]
        return logits
