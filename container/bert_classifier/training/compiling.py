"""The padding-free forward pass, compiled by torch for a few sizes: fused kernels and, optionally, CUDA graphs.

Padding texts fill a micro-batch up to one of these sizes. No text attends to another and the logits of the padding
are dropped, so it changes neither logits nor gradients.
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
_SIZES_PER_OCTAVE = 8  # so padding is less than an eighth of the tokens
_TOKENS_PER_TEXT = 8  # one slot for a text per 8 tokens; shorter texts need a larger size
_TRIAL_TEXTS = 4
_TOLERANCE = 0.05  # relative, the same as for the padding-free pass
# Shapes are symbolic, so torch compiles once; only the CUDA graphs need the fixed sizes.
_COMPILERS: dict[str, Callable[..., Any]] = {
    "true": functools.partial(torch.compile, dynamic=True, fullgraph=True),
    "graphs": functools.partial(torch.compile, dynamic=True, fullgraph=True, mode="reduce-overhead"),
}

Compiler = Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]


class CompiledForward(PackedForward):
    """A PackedForward that is compiled where gradients are needed.

    Args:
        longest: maximum number of tokens in a window.
        compiler: torch.compile with its settings.
        kernel: see PackedForward.
    """

    def __init__(
        self, packed: PackedForward, longest: int, compiler: Compiler, kernel: Kernel = varlen_attn
    ) -> None:
        super().__init__(packed.model, packed.pad_id, packed.device, packed.precision, kernel)  # type: ignore[arg-type]
        self._longest = longest
        self._compiled = compiler(self._logits_of_filled)
        self._own_gradients: dict[torch.nn.Parameter, torch.Tensor] = {}

    def inputs(self, encoded: EncodedTexts, windows: np.ndarray) -> Inputs:
        """Return the model's inputs for b windows, on the device; filled up to a fixed size if gradients are needed."""
        if not torch.is_grad_enabled():
            return super().inputs(encoded, windows)
        ids, positions, ends = pack(encoded, windows)
        size, slots = _size_of(int(ends[-1]), len(windows), self._longest)
        rest = size - int(ends[-1])
        filling = np.arange(rest) % self._longest
        filled = ends[-1] + np.minimum(np.arange(1, slots - len(windows) + 1) * self._longest, rest)
        arrays = {
            "input_ids": np.concatenate([ids[0], np.full(rest, self.pad_id)])[None],
            "position_ids": np.concatenate([positions[0], filling])[None] + self._first_position,
            "cu_seq_lens_q": np.concatenate([ends, filled]).astype(np.int32),
        }
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
        return {**tensors, "texts": len(windows)}

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens computed in a pass over windows of these lengths, padding included."""
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
        """Copy gradients out of CUDA graph memory, which the next pass overwrites."""
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._keep)

    def _keep(self, parameter: torch.Tensor) -> None:
        assert isinstance(parameter, torch.nn.Parameter)
        if parameter.grad is not None and parameter.grad is not self._own_gradients.get(parameter):
            parameter.grad = self._own_gradients[parameter] = parameter.grad.clone()


def _size_of(tokens: int, texts: int, longest: int) -> tuple[int, int]:
    """Return the smallest size that fits these tokens and texts, and its number of slots for texts.

    Args:
        longest: maximum number of tokens in a text, padding texts included.
    """
    size = max(tokens, _LEAST_TOKENS)
    while True:
        step = 2 ** (size - 1).bit_length() // (2 * _SIZES_PER_OCTAVE)
        size = -(-size // step) * step
        slots = max(size // _TOKENS_PER_TEXT, 1)
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
    """Return the fastest forward pass for the device that is correct on a sample.

    Args:
        sample: texts on which the passes are compared.
        longest: maximum number of tokens in a window.
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
    return compiled if is_correct(compiled, chosen, sample) else chosen


def is_correct(compiled: CompiledForward, reference: Forward, sample: EncodedTexts) -> bool:
    """Return whether the compiled pass works and matches the reference in logits and gradients; log the result."""
    was_training = compiled.model.training
    try:
        compiled.model.eval()
        difference = max(_differences(compiled, reference, sample))
        compiled.model.train()
        _pass(compiled, sample)  # with dropout, as in training: compile now, not at the first step
    except Exception as error:  # noqa: BLE001 - a compiler may raise anything, and must not stop the run
        words = str(error).strip().splitlines() or [type(error).__name__]
        logger.warning("the model is not compiled: torch.compile failed (%s)", words[0][:200])
        return False
    finally:
        compiled.model.train(was_training)
        compiled.model.zero_grad(set_to_none=True)
    if not difference <= _TOLERANCE:
        logger.warning("the model is not compiled: its results differ by %.3g", difference)
        return False
    logger.info("the model is compiled (results differ by %.2g)", difference)
    return True


def _differences(one: Forward, other: Forward, sample: EncodedTexts) -> tuple[float, float]:
    """Return the differences in logits and in gradients, relative to the norms of the second pass."""
    (logits, gradients), (other_logits, other_gradients) = (
        _pass(forward, sample) for forward in (one, other)
    )
    return _relative(logits, other_logits), _relative(gradients, other_gradients)


def _pass(forward: Forward, sample: EncodedTexts) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute two micro-batches; return their logits, and the gradient of the sum of their squares."""
    forward.model.zero_grad(set_to_none=True)
    logits = []
    for windows in np.array_split(np.arange(min(_TRIAL_TEXTS, len(sample))), 2):
        if len(windows):
            logits.append(forward(sample, windows))
            (logits[-1] ** 2).sum().backward()
            logits[-1] = logits[-1].detach().clone()
    parts = [p.grad for p in forward.model.parameters() if p.grad is not None]
    return torch.cat(logits), torch.cat([part.to_dense().flatten() for part in parts])


def _relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())
