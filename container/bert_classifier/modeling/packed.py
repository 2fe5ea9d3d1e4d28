"""The padding-free forward pass: a micro-batch is one sequence of tokens, each attending only to its own text.

Only attention involves more than one token: on a GPU, one kernel computes it for all texts; on a CPU, it is computed
text by text. The rest is the encoder's own code: transformers' attention interface lets it call ours, positions restart
with every text, and what the classification head reads of each text is moved to where the head expects it.
"""

import contextlib
import copy
import logging
from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedModel

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.equal_lengths import padded_or_by_length
from bert_classifier.modeling.forward import Forward, Inputs
from bert_classifier.modeling.packed_attention import (
    Kernel,
    TextLayout,
    attend_in_one_kernel,
    attend_text_by_text,
    register,
    side_by_side,
)
from bert_classifier.modeling.packed_families import (
    can_be_packed,
    let_head_read_row,
    longest_to_prove,
    padding_position,
)
from bert_classifier.modeling.proof import proof_texts, relative_difference
from bert_classifier.modeling.token_row import pack, positions_of_model
from bert_classifier.modeling.token_types import TYPE_IDS, types_in_row

logger = logging.getLogger(__name__)

# Relative: the two passes sum in different orders, and bf16 has 8 significant bits.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}


_ARGUMENTS = ("input_ids", "position_ids", TYPE_IDS)  # of the model


class PackedForward(Forward):
    """Computes logits without padding, in place of Forward.

    Args:
        kernel: computes attention within texts.

    Attributes:
        is_last_layer_full: whether the last layer computes all tokens where the head reads each text's first only. That
            changes nothing but the last bits: a run that an earlier version began keeps them.
    """

    is_padded = False

    def __init__(
        self,
        model: PreTrainedModel,
        pad_id: int,
        device: torch.device,
        precision: str,
        kernel: Kernel = attend_in_one_kernel,
    ) -> None:
        super().__init__(model, pad_id, device, precision)
        self.is_last_layer_full = False
        self._kernel = kernel
        self._config = model.config
        self._padding_position = padding_position(model)
        self._attention = register(kernel)
        let_head_read_row(model)

    def for_threads(self) -> "PackedForward":
        """Return a copy for use by several threads at once: its model shares the weights and is always packed."""
        shared = {id(tensor): tensor for tensor in (*self.model.parameters(), *self.model.buffers())}
        model: PreTrainedModel = copy.deepcopy(self.model, memo=shared)  # type: ignore[assignment]
        model.config._attn_implementation = self._attention
        return PackedForward(model, self.pad_id, self.device, self.precision, self._kernel)

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows, as arrays."""
        ids, positions, ends = pack(encoded, windows)
        types = types_in_row(encoded, windows, positions)
        return {
            "input_ids": ids,
            "position_ids": positions_of_model(ids, positions, self._padding_position),
            **({} if types is None else {TYPE_IDS: types}),
            "begins": ends,
            "longest": int(np.diff(ends).max()),
        }

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        texts = TextLayout(inputs["begins"], inputs["longest"], self.is_last_layer_full)
        of_model = {name: inputs[name] for name in _ARGUMENTS if name in inputs}
        with self._packed(), side_by_side(texts), self._autocast():
            logits: torch.Tensor = self.model(**of_model).logits.float()
            return logits

    @contextlib.contextmanager
    def _packed(self) -> Iterator[None]:
        """Make the model attend within texts."""
        usual = self._config._attn_implementation
        self._config._attn_implementation = self._attention
        try:
            yield
        finally:
            self._config._attn_implementation = usual


def packed_or_padded(
    model: torch.nn.Module, pad_id: int, device: torch.device, precision: str, sample: EncodedTexts
) -> Forward:
    """Return the padding-free pass if the device supports it and its logits match the padded pass.

    A family without one gets the padded pass, or one by length where padding would change its scores.

    Args:
        precision: see Forward.
        sample: texts on which to compare the two passes.
    """
    padded = Forward(model, pad_id, device, precision)
    dtype = torch.bfloat16 if precision == "bf16" else next(model.parameters()).dtype
    kernel = _kernel_for(device, dtype)
    if not isinstance(model, PreTrainedModel):
        return padded
    if not can_be_packed(model.config.model_type, device.type):
        forward = padded_or_by_length(padded, sample)
        if forward is padded:
            logger.info("micro-batches are padded: %s has no padding-free path", model.config.model_type)
        return forward
    if kernel is None:
        return padded
    packed = PackedForward(model, pad_id, device, precision, kernel)
    try:
        difference = relative_difference(packed, padded, proof_texts(sample, longest_to_prove(model)))
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        logger.warning("micro-batches are padded: the padding-free path cannot be compared (%s)", error)
        return padded
    if not difference <= TOLERANCE[dtype]:
        logger.warning("micro-batches are padded: the padding-free path is off by %.3g", difference)
        return padded
    logger.info("micro-batches are not padded (difference of the two paths: %.2g)", difference)
    return packed


def trainable_or_padded(forward: Forward, sample: EncodedTexts) -> Forward:
    """Return the pass, or the padded one if gradients cannot be computed through it on this GPU."""
    if not isinstance(forward, PackedForward) or forward.device.type != "cuda":
        return forward
    trained = [parameter for parameter in forward.model.parameters() if parameter.requires_grad]
    try:
        texts = proof_texts(sample)
        logits = forward(texts, np.arange(len(texts.lengths)))
        torch.autograd.grad(logits.sum(), trained, allow_unused=True)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        logger.warning("micro-batches are padded: the padding-free path has no gradients here (%s)", error)
        return Forward(forward.model, forward.pad_id, forward.device, forward.precision)
    return forward


def _kernel_for(device: torch.device, dtype: torch.dtype) -> Kernel | None:
    """Return the kernel for attention within texts in a format; None if padding is better or the only way."""
    if device.type == "cpu":
        return attend_text_by_text if dtype in TOLERANCE else None
    return attend_in_one_kernel if device.type == "cuda" and dtype == torch.bfloat16 else None
