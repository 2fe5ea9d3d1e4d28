"""One forward pass over encoded texts, padded to the longest of them."""

import contextlib
import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch

from bert_classifier.encoding.micro_batches import pad
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.token_types import padded_types
from bert_classifier.modeling.transfer import stage

Inputs = dict[str, Any]  # by name of the model's argument
_LOW_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclasses.dataclass(frozen=True)
class Forward:
    """Computes the logits of windows of encoded texts.

    Attributes:
        model: any module whose forward takes input_ids and attention_mask, and token_type_ids where texts have them,
            and returns `.logits` (b, classes).
        pad_id: the padding token.
        precision: fp32 (that of the weights), bf16 or fp16.
        is_padded: whether each window costs as much as the longest in its micro-batch.
    """

    is_padded: ClassVar[bool] = True

    model: torch.nn.Module
    pad_id: int
    device: torch.device
    precision: str

    def __call__(self, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        """Return the logits of b windows, (b, classes)."""
        return self.compute(self.inputs(encoded, windows))

    def inputs(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows, on the device."""
        return stage(self.arrays(encoded, windows), self.device).to(self.device)

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows, as arrays."""
        input_ids, mask = pad(encoded, windows, self.pad_id)
        ids = {"input_ids": input_ids.numpy(), "attention_mask": None if mask is None else mask.numpy()}
        return {**ids, **padded_types(encoded, windows)}

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes, padding included."""
        return len(lengths) * int(lengths.max())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        with self._autocast():
            return logits_of(self.model, **inputs)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which float32 weights compute in low precision; weights that are low need none."""
        dtype = _LOW_PRECISION.get(self.precision)
        if dtype is None or next(self.model.parameters()).dtype != torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=dtype)


def logits_of(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **types: torch.Tensor,
) -> torch.Tensor:
    """Return the logits, float32 (b, classes), of token ids (b, length) and, where texts have them, token_type_ids."""
    logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
    return logits.float()
