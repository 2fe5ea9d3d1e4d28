"""Linear layers of the engine: in float32, bf16 or int8."""

import platform
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.nn import functional

_SMALLEST = 1e-12  # a token of zeros must not divide by 0
_TOKENS = 64  # of a product, for which oneDNN chooses the order of the weights; any other number computes too
# oneDNN keeps a program of some hundred kilobytes for each number of tokens that it has met, and for each shape of
# weights: products are computed in these sizes, filled up with zeros, and in parts of the largest one.
_SIZES = (8, 16, *range(32, 257, 32))


class Linear(Protocol):
    """Computes x · Wᵀ + b for x (tokens, inputs), and what follows it in one go where the precision allows."""

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""

    def then_gelu(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return GELU of the product."""

    def plus(self, x: torch.Tensor, other: torch.Tensor, /) -> torch.Tensor:
        """Return the product plus other (tokens, outputs)."""


class _InSteps:
    """What follows a product is computed in place, one after the other."""

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""
        raise NotImplementedError

    def then_gelu(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return GELU of the product."""
        return torch.ops.aten.gelu_(self(x))  # type: ignore[no-any-return]

    def plus(self, x: torch.Tensor, other: torch.Tensor, /) -> torch.Tensor:
        """Return the product plus other (tokens, outputs)."""
        return self(x).add_(other)


class PlainLinear(_InSteps):
    """A layer in float32 by torch's own product: weight (outputs, inputs), bias (outputs,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""
        return functional.linear(x, self._weight, self._bias)


class PackedLinear:
    """A layer by oneDNN, whose weights lie as its products read them, in float32 or bf16.

    torch's own product in float32 is MKL's. It uses half the width of an AMD CPU with AVX-512, and orders the weights
    anew each time.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype = torch.float32) -> None:
        ops: Any = torch.ops.mkldnn
        self._dtype, self._bias = dtype, bias.to(dtype)
        self._weight = ops._reorder_linear_weight(weight.to(dtype), _TOKENS)
        self._compute: Callable[..., torch.Tensor] = ops._linear_pointwise.default
        self._compute_plus: Callable[..., torch.Tensor] = ops._linear_pointwise.binary

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return (tokens, outputs)."""
        return self._in_sizes(lambda x: self._compute(x, self._weight, self._bias, "none", [], ""), x)

    def then_gelu(self, x: torch.Tensor, /) -> torch.Tensor:
        """Return GELU of the product."""
        return self._in_sizes(lambda x: self._compute(x, self._weight, self._bias, "gelu", [], "none"), x)

    def plus(self, x: torch.Tensor, other: torch.Tensor, /) -> torch.Tensor:
        """Return the product plus other (tokens, outputs)."""
        return self._in_sizes(
            lambda x, other: self._compute_plus(x, other, self._weight, self._bias, "add"), x, other
        )

    def _in_sizes(self, compute: Callable[..., torch.Tensor], *rows: torch.Tensor) -> torch.Tensor:
        """Return what `compute` makes of tensors with a row for each token, computed in the fixed sizes."""
        parts = zip(*(tensor.to(self._dtype).split(_SIZES[-1]) for tensor in rows), strict=True)
        done = [compute(*map(_filled, part))[: len(part[0])] for part in parts]
        return done[0] if len(done) == 1 else torch.cat(done)


def _filled(rows: torch.Tensor) -> torch.Tensor:
    """Return rows (n, width), at most the largest size, with rows of zeros up to the next size."""
    missing = next(size for size in _SIZES if size >= len(rows)) - len(rows)
    return functional.pad(rows, (0, 0, 0, missing)) if missing else rows


def float_linear(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Return the faster layer in float32: oneDNN's on x86."""
    is_packed = torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")
    return PackedLinear(weight, bias) if is_packed else PlainLinear(weight, bias)


def bf16_linear(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Return a layer in bf16."""
    return PackedLinear(weight, bias, torch.bfloat16)


class Int8Linear(_InSteps):
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
        sizes = x.abs()
        largest = sizes.amax(dim=-1, keepdim=True).clamp_(min=_SMALLEST)
        divided = torch.div(x, largest, out=sizes)
        scaled = self._compute(divided, 2 / self._steps, (self._steps + 1) // 2, self._packed)
        return torch.addcmul(self._bias, scaled, largest, out=scaled)


def steps_of_int8() -> int:
    """Return into how many steps a token's values are rounded.

    Without VNNI, x86 adds two products of 8 bits in 16 bits, which can overflow: then activations get 7 bits.
    """
    return 255 if torch.cpu._is_vnni_supported() else 127
