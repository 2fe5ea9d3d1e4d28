"""The forward pass of encoders whose scores depend on padding: only windows of the same length in one pass.

ConvBERT's convolutions, FNet's Fourier transforms and the approximate attention of Nyströmformer and YOSO read padding
tokens, whatever the attention mask says. With padding, a text's scores would depend on the texts beside it, and the
gradient on how a batch is cut.
"""

import logging

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward, Inputs, logits_of
from bert_classifier.modeling.proof import proof_texts, relative_difference

logger = logging.getLogger(__name__)

# By which two passes that sum in different orders may differ, relative to the logits: in float32, on a GPU, and in a
# format of fewer bits. On CPUs gradients are exact to 1e-6.
_ROUNDING, _ROUNDING_ON_GPU, _ROUNDING_IN_LOW_PRECISION = 1e-5, 1e-3, 0.05


class EqualLengths(Forward):
    """Computes logits without padding, one pass of the model per length."""

    is_padded = False

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the tokens of b windows, by length, and how to put the logits into the order of the windows."""
        lengths = encoded.lengths[windows]
        order = np.argsort(lengths, kind="stable")
        ids = [encoded.ids[encoded.offsets[w] : encoded.offsets[w + 1]] for w in windows[order]]
        values, counts = np.unique(lengths, return_counts=True)
        return {
            "input_ids": np.concatenate(ids).astype(np.int64),
            "places": np.argsort(order, kind="stable"),
            "shapes": list(zip(counts.tolist(), values.tolist(), strict=True)),
        }

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        shapes = inputs["shapes"]
        groups = inputs["input_ids"].split([count * length for count, length in shapes])
        with self._autocast():
            logits = [
                logits_of(self.model, ids.view(shape), None)
                for ids, shape in zip(groups, shapes, strict=True)
            ]
        return torch.cat(logits).index_select(0, inputs["places"])


def padded_or_by_length(padded: Forward, sample: EncodedTexts) -> Forward:
    """Return the padded pass, or one without padding if padding changes the scores of a text.

    Args:
        sample: texts, from which those to compare are made.
    """
    by_length = EqualLengths(padded.model, padded.pad_id, padded.device, padded.precision)
    try:
        difference = relative_difference(padded, by_length, proof_texts(sample))
    except (RuntimeError, TypeError, ValueError, IndexError):
        return padded  # which fails where it is used, and is reported there
    if not difference > _rounding(padded):
        return padded
    logger.warning(
        "micro-batches are computed length by length: padding would change the scores of %s by %.2g of their size",
        type(padded.model).__name__,
        difference,
    )
    return by_length


def _rounding(forward: Forward) -> float:
    if forward.precision != "fp32" or next(forward.model.parameters()).dtype != torch.float32:
        return _ROUNDING_IN_LOW_PRECISION
    return _ROUNDING_ON_GPU if forward.device.type == "cuda" else _ROUNDING
