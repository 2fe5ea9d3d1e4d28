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
from bert_classifier.modeling.token_row import pack
from bert_classifier.modeling.token_types import TYPE_IDS, types_in_row

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
        order, places = _by_length(lengths)
        ids, positions, _ = pack(encoded, windows[order])
        types = types_in_row(encoded, windows[order], positions)
        values, counts = np.unique(lengths, return_counts=True)
        return {
            "input_ids": ids[0],
            **({} if types is None else {TYPE_IDS: types[0]}),
            "places": places,
            "shapes": list(zip(counts.tolist(), values.tolist(), strict=True)),
        }

    def places(self, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        """Return where the outputs of the passes by length, one behind the other, have each window's: (b,)."""
        _, places = _by_length(encoded.lengths[windows])
        return torch.from_numpy(places).to(self.device)

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        shapes = inputs["shapes"]
        sizes = [count * length for count, length in shapes]
        names = [name for name in ("input_ids", TYPE_IDS) if name in inputs]
        groups = zip(*(inputs[name].split(sizes) for name in names), strict=True)
        with self._autocast():
            outputs = [
                self.of_one_length({name: part.view(shape) for name, part in zip(names, parts, strict=True)})
                for parts, shape in zip(groups, shapes, strict=True)
            ]
        return torch.cat(outputs).index_select(0, inputs["places"])

    def of_one_length(self, inputs: Inputs) -> torch.Tensor:
        """Return the logits of windows without padding, of which the inputs have (b, length)."""
        return logits_of(self.model, attention_mask=None, **inputs)


def _by_length(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of b lengths, equal ones as they stand, and where each length is in it, int64 (b,) both."""
    order = np.argsort(lengths, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return order, places


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
