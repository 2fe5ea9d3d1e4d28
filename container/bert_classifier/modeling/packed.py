"""The padding-free forward pass: a micro-batch is one sequence of tokens, each attending only to its own text.

Only attention involves more than one token: on a GPU, one kernel computes it for all texts; on a CPU, it is computed
text by text. The rest is the encoder's own code: this attention is registered with transformers' attention interface,
positions restart with every text, and after the last layer the first token of each text is moved to where
classification heads expect it.
"""

import contextlib
import copy
import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward, Inputs

logger = logging.getLogger(__name__)

# By model type; other encoders use padding.
_FIRST_POSITION: dict[str, Callable[[Any], int]] = {
    "bert": lambda config: 0,
    "electra": lambda config: 0,
    "distilbert": lambda config: 0,
    "roberta": lambda config: int(config.pad_token_id) + 1,
}
_PROBES = 8  # texts on which the two passes are compared
# Relative: the two passes sum in different orders, and bf16 has 8 significant bits.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05}

# (query, key, value, cu_seqlens, cu_seqlens, longest, longest, scale=) → output; vectors are (tokens, heads, size)
Kernel = Callable[..., Any]


def attend_text_by_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    begins: torch.Tensor,
    _begins: torch.Tensor,
    _longest: int,
    _longest_key: int,
    *,
    scale: float | None,
) -> torch.Tensor:
    """Compute the same as attend_in_one_kernel on any device, with one call per text, which is cheap on a CPU."""
    lengths = [end - begin for begin, end in itertools.pairwise(begins.tolist())]
    texts = (vectors.transpose(0, 1)[None].split(lengths, dim=2) for vectors in (query, key, value))
    attended = [
        functional.scaled_dot_product_attention(q, k, v, scale=scale) for q, k, v in zip(*texts, strict=True)
    ]
    return torch.cat(attended, dim=2)[0].transpose(0, 1)


def attend_in_one_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    begins: torch.Tensor,
    begins_of_keys: torch.Tensor,
    longest: int,
    longest_key: int,
    *,
    scale: float | None,
) -> torch.Tensor:
    """Compute the attention of all texts on a GPU, by the operator that torch.nn.attention.varlen.varlen_attn calls.

    Its wrapper is in Python, forward and backward: a fifth of the host's time of a training step, and a kernel per
    layer for a random state that is not used.
    """
    attended: torch.Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, begins, begins_of_keys, longest, longest_key,
        dropout_p=0.0, is_causal=False, return_debug_mask=False, scale=scale,
    )[0]  # fmt: skip
    return attended


class PackedForward(Forward):
    """Computes logits without padding, in place of Forward.

    Args:
        kernel: computes attention within texts.
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
        self._kernel = kernel
        self._config = model.config
        self._first_position = _FIRST_POSITION[model.config.model_type](model.config)
        self._encoder = model.base_model.get_submodule(
            "transformer" if model.config.model_type == "distilbert" else "encoder"
        )
        if _gather_first not in self._encoder._forward_hooks.values():
            self._encoder.register_forward_hook(_gather_first, with_kwargs=True)
        # A name in transformers' table, which all models of a process share.
        self._attention = f"packed_{kernel.__name__}"
        AttentionInterface.register(self._attention, functools.partial(_attend, kernel))

    def for_threads(self) -> "PackedForward":
        """Return a copy for use by several threads at once: its model shares the weights and is always packed."""
        shared = {id(tensor): tensor for tensor in (*self.model.parameters(), *self.model.buffers())}
        model: PreTrainedModel = copy.deepcopy(self.model, memo=shared)  # type: ignore[assignment]
        model.config._attn_implementation = self._attention
        return PackedForward(model, self.pad_id, self.device, self.precision, self._kernel)

    def arrays(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows, as arrays."""
        ids, positions, ends = pack(encoded, windows)
        return {
            "input_ids": ids,
            "position_ids": positions + self._first_position,
            "cu_seq_lens_q": ends,
            "max_length_q": int(np.diff(ends).max()),
        }

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes."""
        return int(lengths.sum())

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        with self._packed(), self._autocast():
            logits: torch.Tensor = self.model(**inputs).logits.float()
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


def pack(encoded: EncodedTexts, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tokens of b windows as one sequence.

    Returns:
        ids int64 (1, tokens), positions within each window int64 (1, tokens), and the begin of each window followed
        by the end of the last, int32 (b + 1,).
    """
    lengths = encoded.lengths[windows]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
    ids = encoded.ids[positions + np.repeat(encoded.offsets[windows], lengths)]
    return ids.astype(np.int64)[None], positions.astype(np.int64)[None], ends.astype(np.int32)


def packed_or_padded(
    model: torch.nn.Module, pad_id: int, device: torch.device, precision: str, sample: EncodedTexts
) -> Forward:
    """Return the padding-free pass if the device supports it and its logits match the padded pass.

    Args:
        precision: see Forward.
        sample: texts on which to compare the two passes.
    """
    padded = Forward(model, pad_id, device, precision)
    dtype = torch.bfloat16 if precision == "bf16" else next(model.parameters()).dtype
    kernel = _kernel_for(device, dtype)
    if kernel is None or not isinstance(model, PreTrainedModel):
        return padded
    if model.config.model_type not in _FIRST_POSITION:
        logger.info("micro-batches are padded: %s has no padding-free path", model.config.model_type)
        return padded
    packed = PackedForward(model, pad_id, device, precision, kernel)
    try:
        difference = relative_difference(packed, padded, sample)
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
    if forward.is_padded or forward.device.type != "cuda":
        return forward
    trained = [parameter for parameter in forward.model.parameters() if parameter.requires_grad]
    try:
        logits = forward(sample, np.arange(min(_PROBES, len(sample))))
        torch.autograd.grad(logits.sum(), trained, allow_unused=True)
    except RuntimeError as error:
        logger.warning("micro-batches are padded: the padding-free path has no gradients here (%s)", error)
        return Forward(forward.model, forward.pad_id, forward.device, forward.precision)
    return forward


def _kernel_for(device: torch.device, dtype: torch.dtype) -> Kernel | None:
    """Return the kernel for attention within texts in a format; None if padding is better or the only way."""
    if device.type == "cpu":
        return attend_text_by_text if dtype in TOLERANCE else None
    return attend_in_one_kernel if device.type == "cuda" and dtype == torch.bfloat16 else None


def relative_difference(one: Forward, other: Forward, sample: EncodedTexts) -> float:
    """Return the distance between the logits of two passes, relative to the norm of the second's."""
    windows = np.arange(min(_PROBES, len(sample)))
    was_training = one.model.training
    one.model.eval()
    try:
        with torch.inference_mode():
            ours, theirs = one(sample, windows).float(), other(sample, windows).float()
    finally:
        one.model.train(was_training)
    return float((ours - theirs).norm() / theirs.norm())


def _attend(
    kernel: Kernel,
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within texts, for transformers' attention interface: vectors are (1, heads, tokens, size)."""
    ends, longest = kwargs["cu_seq_lens_q"], kwargs["max_length_q"]
    # squeeze, not [0], whose backward pass fills a tensor of zeros: three kernels more per vector.
    vectors = [vector.squeeze(0).transpose(0, 1) for vector in (query, key, value)]
    return kernel(*vectors, ends, ends, longest, longest, scale=scaling)[None], None


def _gather_first(module: torch.nn.Module, inputs: Any, kwargs: dict[str, Any], output: Any) -> Any:
    """Reduce packed last hidden states (1, tokens, size) to (b, 1, size): the first token of each text."""
    cu_seqlens = kwargs.get("cu_seq_lens_q")
    if cu_seqlens is None:
        return output
    hidden = output.last_hidden_state.squeeze(0)
    begins = cu_seqlens[:-1].clamp(max=hidden.shape[0] - 1)  # empty padding texts may follow the last token
    output.last_hidden_state = hidden.index_select(0, begins).unsqueeze(1)
    return output
