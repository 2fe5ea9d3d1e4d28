"""Linear layers of the engine: in the precision of their weights, or in int8."""

import warnings
from typing import Any, Protocol

import torch
from torch.nn import functional

_SMALLEST = 1e-12  # a token of zeros must not divide by 0


class Linear(Protocol):
    """Computes x · Wᵀ + b for x (tokens, inputs)."""

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""


class FloatLinear:
    """A layer in the precision of its weights: weight (outputs, inputs), bias (outputs,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""
        return functional.linear(x, self._weight, self._bias)


class Int8Linear:
    """A layer in int8: a scale for each output's weights, and one for each token's values.

    Each token is divided by its largest value before it is rounded, and multiplied by it afterwards. So no token
    changes how another one is rounded: a text's scores do not depend on the texts beside it.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        ops: Any = torch.ops.quantized
        scales = weight.abs().amax(dim=1).clamp(min=_SMALLEST).double() / 127
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantised tensors will move to another package
            rounded = torch.quantize_per_channel(
                weight.contiguous(), scales, torch.zeros_like(scales).long(), axis=0, dtype=torch.qint8
            )
        self._packed = ops.linear_prepack(rounded, None)
        self._compute = ops.linear_with_input_q_dq_qweight_dq_output_fp32
        self._bias = bias
        self._steps = steps_of_int8()

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return float32 (tokens, outputs)."""
        largest = x.abs().amax(dim=-1, keepdim=True).clamp(min=_SMALLEST)
        scaled = self._compute(x / largest, 2 / self._steps, (self._steps + 1) // 2, self._packed)
        return torch.addcmul(self._bias, scaled, largest)


def steps_of_int8() -> int:
    """Return into how many steps a token's values are rounded.

    Without VNNI, x86 adds two products of 8 bits in 16 bits, which can overflow: then activations get 7 bits.
    """
    return 255 if torch.cpu._is_vnni_supported() else 127
