"""The padding-free pass compiled by torch, in few shapes: fused kernels, and CUDA graphs that can be replayed.

A micro-batch is filled up to one of a few sizes with texts of padding. No text sees another, and the logits of the
padding are dropped, so that it changes neither answers nor gradients.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.attention.varlen import varlen_attn

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward, Inputs, autocast
from bert_classifier.modeling.packed import Kernel, PackedForward, pack, packed_or_padded

logger = logging.getLogger(__name__)

_LEAST_TOKENS = 256
_SIZES_AN_OCTAVE = 8  # so that less than an eighth of the tokens are padding
_TOKENS_A_TEXT = (
    8  # there is room for one text in so many tokens; where texts are shorter, the next sizes are taken
)
_TRIAL_TEXTS = 4
_TOLERANCE = 0.05  # relative, as between the padded and the padding-free way
# Shapes are symbols to the compiler, so that it works once; the fixed sizes are for the graphs.
_COMPILERS: dict[str, Callable[..., Any]] = {
    "true": functools.partial(torch.compile, dynamic=True, fullgraph=True),
    "graphs": functools.partial(torch.compile, dynamic=True, fullgraph=True, mode="reduce-overhead"),
}

Compiler = Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]


class CompiledForward(PackedForward):
    """Computes logits without padding to speak of, by compiled code where gradients are wanted.

    Args:
        longest: most tokens of a text.
        compiler: torch.compile with its settings.
        kernel: as PackedForward's.
    """

    def __init__(
        self,
        packed: PackedForward,
        longest: int,
        compiler: Compiler,
        kernel: Kernel = varlen_attn,
    ) -> None:
        super().__init__(packed.model, packed.pad_id, packed.device, packed.precision, kernel)  # type: ignore[arg-type]
        self._longest = longest
        self._compiled = compiler(self._logits_of_filled)
        self._own_gradients: dict[torch.nn.Parameter, torch.Tensor] = {}

    def inputs(self, encoded: EncodedTexts, rows: np.ndarray) -> Inputs:
        """Return what the model takes for these b rows, on the device; filled up where gradients are wanted."""
        if not torch.is_grad_enabled():
            return super().inputs(encoded, rows)
        ids, positions, ends = pack(encoded, rows)
        size, slots = _size_of(int(ends[-1]), len(rows), self._longest)
        rest = size - int(ends[-1])
        filling = np.arange(rest) % self._longest
        filled = ends[-1] + np.minimum(np.arange(1, slots - len(rows) + 1) * self._longest, rest)
        told = {
            "input_ids": np.concatenate([ids[0], np.full(rest, self.pad_id)])[None],
            "position_ids": np.concatenate([positions[0], filling])[None] + self._first_position,
            "cu_seq_lens_q": np.concatenate([ends, filled]).astype(np.int32),
        }
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in told.items()}
        return {**tensors, "texts": len(rows)}

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that computing texts of these lengths in one pass takes, the filling counted."""
        return _size_of(int(lengths.sum()), len(lengths), self._longest)[0]

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return logits (b, classes)."""
        if "texts" not in inputs:
            return super().compute(inputs)
        tensors = {name: value for name, value in inputs.items() if name != "texts"}
        with self._packed(), autocast(self.precision, self.device):
            return self._compiled(**tensors)[: inputs["texts"]]

    def _logits_of_filled(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self._logits(**inputs, max_length_q=self._longest)

    def keep_gradients(self) -> None:
        """Copy gradients out of the memory of CUDA graphs, which the next pass overwrites."""
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._keep)

    def _keep(self, parameter: torch.Tensor) -> None:
        assert isinstance(parameter, torch.nn.Parameter)
        if parameter.grad is not None and parameter.grad is not self._own_gradients.get(parameter):
            parameter.grad = self._own_gradients[parameter] = parameter.grad.clone()


def _size_of(tokens: int, texts: int, longest: int) -> tuple[int, int]:
    """Return the smallest size that takes so many tokens in so many texts, and the texts it has room for.

    Args:
        longest: most tokens of a text, also of one of padding.
    """
    size = max(tokens, _LEAST_TOKENS)
    while True:
        step = 2 ** (size - 1).bit_length() // (2 * _SIZES_AN_OCTAVE)
        size = -(-size // step) * step
        slots = max(size // _TOKENS_A_TEXT, 1)
        if texts + -(-(size - tokens) // longest) <= slots:
            return size, slots
        size += 1


def choose_forward(
    model: torch.nn.Module,
    pad_id: int,
    device: torch.device,
    precision: str,
    sample: EncodedTexts,
    *,
    longest: int,
    setting: str,
) -> Forward:
    """Return the fastest way to compute logits that the device has and that proves right on a sample.

    Args:
        sample: texts to compare the ways on.
        longest: most tokens of a text.
        setting: TrainConfig.compile.
    """
    chosen = packed_or_padded(model, pad_id, device, precision, sample)
    if setting == "false":
        return chosen
    if not isinstance(chosen, PackedForward) or device.type != "cuda":
        logger.warning("compile=%s has no effect: only the padding-free path on a GPU is compiled", setting)
        return chosen
    compiled = CompiledForward(chosen, longest, _COMPILERS[setting])
    if setting == "graphs":
        compiled.keep_gradients()
    return compiled if proves_right(compiled, chosen, sample) else chosen


def proves_right(compiled: CompiledForward, reference: Forward, sample: EncodedTexts) -> bool:
    """Say whether the compiled way computes, and gives the logits and the gradients of another; tell if it does not."""
    was_training = compiled.model.training
    try:
        compiled.model.eval()
        difference = max(_differences(compiled, reference, sample))
        compiled.model.train()
        _pass(compiled, sample)  # with dropout, as in training: compiled now rather than at the first step
    except Exception as error:  # noqa: BLE001 - a compiler raises anything, and costs speed, not the run
        words = str(error).strip().splitlines() or [type(error).__name__]
        logger.warning("the model is not compiled: that fails here (%s)", words[0][:200])
        return False
    finally:
        compiled.model.train(was_training)
        compiled.model.zero_grad(set_to_none=True)
    if not difference <= _TOLERANCE:
        logger.warning("the model is not compiled: compiled, it is off by %.3g", difference)
        return False
    logger.info("the model is compiled (difference of the two ways: %.2g)", difference)
    return True


def _differences(one: Forward, other: Forward, sample: EncodedTexts) -> tuple[float, float]:
    """Return how far apart logits and gradients of two ways are, relative to the length of the second's."""
    (ours, ours_by), (theirs, theirs_by) = (_pass(way, sample) for way in (one, other))
    return _relative(ours, theirs), _relative(ours_by, theirs_by)


def _pass(way: Forward, sample: EncodedTexts) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute two micro-batches; return their logits, and the gradient of a function of them by all weights."""
    way.model.zero_grad(set_to_none=True)
    logits = []
    for rows in np.array_split(np.arange(min(_TRIAL_TEXTS, len(sample))), 2):
        if len(rows):
            logits.append(way(sample, rows))
            (logits[-1] ** 2).sum().backward()
            logits[-1] = logits[-1].detach().clone()
    parts = [p.grad for p in way.model.parameters() if p.grad is not None]
    return torch.cat(logits), torch.cat([part.to_dense().flatten() for part in parts])


def _relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())
