"""Linear layers of the engine: in float32, bf16 or int8."""

import platform
import warnings

import torch
from torch.nn import functional

_LEAST_OF_GELU = (
    0.1701  # its values are greater than -0.1701: none is larger than this one or the token's largest
)
_SMALLEST = 1e-12  # weights of zeros must not give a scale of 0
_TOKENS = 64  # of a product, for which oneDNN chooses the order of the weights; any other number computes too
# oneDNN keeps a program of some hundred kilobytes for each number of tokens that it has met, and for each shape of
# weights: products are computed in these sizes, filled up with zeros, and in parts of the largest one.
_SIZES = (8, *range(16, 128, 16), *range(128, 257, 32))


class Linear(torch.nn.Module):
    """Computes x · Wᵀ + b for x (tokens, inputs), and what follows it in one go where the precision allows.

    torch.jit.script compiles its methods.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (tokens, outputs)."""
        raise NotImplementedError

    def then_gelu(self, x: torch.Tensor) -> torch.Tensor:
        """Return GELU of the product."""
        return torch.ops.aten.gelu_(self.forward(x))  # type: ignore[no-any-return]

    def plus(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the product plus other (tokens, outputs)."""
        return self.forward(x).add_(other)

    def plus_after_gelu(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the product plus other, for GELU's values x, which it may overwrite."""
        return self.plus(x, other)


class PlainLinear(Linear):
    """A layer in float32 by torch's own product: weight (outputs, inputs), bias (outputs,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self._weight, self._bias = weight, bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (tokens, outputs)."""
        return functional.linear(x, self._weight, self._bias)


class PackedLinear(Linear):
    """A layer by oneDNN, whose weights lie as its products read them, in float32 or bf16.

    torch's own product in float32 is MKL's. It uses half the width of an AMD CPU with AVX-512, and orders the weights
    anew each time.
    """

    _no_scalars: list[complex | float | int | None]  # the type of oneDNN's operator, as torch.jit spells it

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self._dtype, self._bias = dtype, bias.to(dtype)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype), _TOKENS)
        self._most, self._no_scalars = _SIZES[-1], []
        self._missing = [
            min(size for size in _SIZES if size >= rows) - rows for rows in range(_SIZES[-1] + 1)
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (tokens, outputs)."""
        return self._in_sizes(x, None, "none")

    def then_gelu(self, x: torch.Tensor) -> torch.Tensor:
        """Return GELU of the product."""
        return self._in_sizes(x, None, "gelu")

    def plus(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the product plus other (tokens, outputs)."""
        return self._in_sizes(x, other, "add")

    def _in_sizes(self, x: torch.Tensor, other: torch.Tensor | None, then: str) -> torch.Tensor:
        """Return the product of tensors with a row for each token, and what follows, computed in the fixed sizes."""
        done: list[torch.Tensor] = []
        for begin in range(0, len(x), self._most):
            end = min(begin + self._most, len(x))
            beside = None if other is None else self._filled(other[begin:end])
            done.append(self._compute(self._filled(x[begin:end]), beside, then)[: end - begin])
        return done[0] if len(done) == 1 else torch.cat(done)

    def _compute(self, x: torch.Tensor, other: torch.Tensor | None, then: str) -> torch.Tensor:
        if other is None:
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, then, self._no_scalars, "none"
            )
        else:
            product = torch.ops.mkldnn._linear_pointwise(x, other, self._weight, self._bias, then)
        return product

    def _filled(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows (n, width), at most the largest size, with rows of zeros up to the next size."""
        missing, rows = self._missing[len(rows)], rows.to(self._dtype)
        return torch.constant_pad_nd(rows, [0, 0, 0, missing]) if missing > 0 else rows


def float_linear(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Return the faster layer in float32: oneDNN's on x86."""
    is_packed = torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")
    return PackedLinear(weight, bias) if is_packed else PlainLinear(weight, bias)


def bf16_linear(weight: torch.Tensor, bias: torch.Tensor) -> Linear:
    """Return a layer in bf16."""
    return PackedLinear(weight, bias, torch.bfloat16)


class Int8Linear(Linear):
    """A layer in int8: a scale for each output's weights, and one for each token's values.

    Each token is divided by its largest value before it is rounded, and multiplied by it afterwards. So no token
    changes how another one is rounded: a text's scores do not depend on the texts beside it.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        scales = weight.abs().amax(dim=1).clamp(min=_SMALLEST).double() / 127
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantised tensors will move to another package
            rounded = torch.quantize_per_channel(
                weight.contiguous(), scales, torch.zeros_like(scales).long(), axis=0, dtype=torch.qint8
            )
        self._packed = torch.ops.quantized.linear_prepack(rounded, None)
        self._bias = bias
        steps = steps_of_int8()
        self._step, self._zero = 2 / steps, (steps + 1) // 2
        self._least_of_gelu = _LEAST_OF_GELU

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float32 (tokens, outputs)."""
        sizes = x.abs()
        # 0 for zeros: 0 / 0 is rounded to some step, which times 0 is 0.
        largest = sizes.amax(dim=-1, keepdim=True)
        return self._of_divided(torch.div(x, largest, out=sizes), largest)

    def plus_after_gelu(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the product plus other, for GELU's values x, which are overwritten."""
        largest = x.amax(dim=-1, keepdim=True).clamp_(min=self._least_of_gelu)
        return self._of_divided(x.div_(largest), largest).add_(other)

    def _of_divided(self, divided: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
        """Return the product of values that were divided by their token's largest one."""
        scaled = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            divided, self._step, self._zero, self._packed
        )
        return torch.addcmul(self._bias, scaled, largest, out=scaled)


def steps_of_int8() -> int:
    """Return into how many steps a token's values are rounded.

    Without VNNI, x86 adds two products of 8 bits in 16 bits, which can overflow: then activations get 7 bits.
    """
    return 255 if torch.cpu._is_vnni_supported() else 127
