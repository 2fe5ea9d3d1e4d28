"""One forward pass over texts of a split, on this rank's device and in the run's precision."""

import dataclasses
from typing import Any

import numpy as np
import torch

from bert_classifier.logits import logits_of
from bert_classifier.micro_batches import pad
from bert_classifier.tokenization import EncodedTexts
from bert_classifier.training.device import autocast

Inputs = dict[str, Any]  # by name of the model's argument


@dataclasses.dataclass(frozen=True)
class Forward:
    """Computes logits of rows of encoded texts.

    Attributes:
        model: any module whose forward takes input_ids and attention_mask and returns `.logits` (b, classes).
        pad_id: the token id that pads.
        precision: fp32, bf16 or fp16.
    """

    model: torch.nn.Module
    pad_id: int
    device: torch.device
    precision: str

    def __call__(self, encoded: EncodedTexts, rows: np.ndarray) -> torch.Tensor:
        """Return logits (b, classes) of these b rows."""
        return self.compute(self.inputs(encoded, rows))

    def inputs(self, encoded: EncodedTexts, rows: np.ndarray) -> Inputs:
        """Return what the model takes for these b rows, on the device."""
        input_ids, mask = pad(encoded, rows, self.pad_id)
        return {
            "input_ids": input_ids.to(self.device),
            "attention_mask": None if mask is None else mask.to(self.device),
        }

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that computing texts of these lengths in one pass takes, padding counted."""
        return len(lengths) * int(lengths.max())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        with autocast(self.precision, self.device):
            return logits_of(self.model, **inputs)
