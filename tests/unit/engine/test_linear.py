"""Linear layers by oneDNN: right for any number of tokens, and without a program kept for each."""

import pytest
import torch

from bert_classifier.engine.linear import _LEAST_OF_GELU, Int8Linear, PackedLinear, PlainLinear
from support.peak_memory import peak_growth

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here")


def layers(inputs: int, outputs: int) -> tuple[PackedLinear, PlainLinear]:
    """Return the same random layer, packed and plain."""
    torch.manual_seed(0)
    weight, bias = torch.randn(outputs, inputs) / inputs**0.5, torch.randn(outputs)
    return PackedLinear(weight, bias), PlainLinear(weight, bias)


@pytest.mark.parametrize("tokens", [1, 8, 9, 31, 32, 33, 255, 256, 257, 700])
def test_any_number_of_tokens_is_computed(tokens):
    """The rows that fill a product up to its size are gone afterwards."""
    packed, plain = layers(24, 40)
    x, other = torch.randn(tokens, 24), torch.randn(tokens, 40)
    torch.testing.assert_close(packed(x), plain(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed.then_gelu(x), plain.then_gelu(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed.plus(x, other), plain.plus(x, other.clone()), atol=1e-5, rtol=1e-5)


def test_memory_does_not_grow_with_the_numbers_of_tokens_met():
    """A server meets hundreds: oneDNN would keep more than a megabyte for each."""
    packed, _ = layers(384, 1536)
    packed(torch.zeros(300, 384))

    def meet() -> None:
        for tokens in range(1, 300):
            packed(torch.zeros(tokens, 384))

    assert peak_growth(meet) < 40 * 2**20


@pytest.mark.parametrize("inputs", [5, 32, 33, 384])
def test_in_int8_a_token_of_zeros_gives_the_bias_and_a_broken_one_is_seen(inputs):
    """0 / 0 must not reach the answer of zeros, nor hide what is no number; for widths with and without a remainder."""
    layer = Int8Linear(torch.randn(16, inputs), torch.randn(16))
    x = torch.randn(4, inputs)
    x[1], x[2, 0] = 0, float("nan")
    found = layer(x)
    assert torch.equal(found[1], layer._bias)
    assert not found[2].isfinite().any()
    assert torch.equal(found[[0, 3]], layer(x[[0, 3]]))


def test_in_int8_what_gelu_gives_is_rounded_as_other_values_are():
    """Except where all of a token's values lie below the largest one of those that GELU makes negative."""
    torch.manual_seed(0)
    layer, other = Int8Linear(torch.randn(16, 64), torch.randn(16)), torch.randn(5, 16)
    gelu = torch.nn.functional.gelu(torch.randn(5, 64) * 3)
    gelu[3], gelu[4] = 0, gelu[4].clamp(max=0)
    usual, found = layer(gelu) + other, layer.plus_after_gelu(gelu.clone(), other)
    assert torch.equal(found[:4], usual[:4])
    torch.testing.assert_close(found[4], usual[4], atol=0.05, rtol=0)
    assert not layer.plus_after_gelu(torch.full((1, 64), float("nan")), other[:1]).isfinite().any()


@pytest.mark.parametrize("activation", ["none", "tanh"])
def test_gelu_gives_nothing_below_what_int8_counts_on(activation):
    """Neither of its two forms: a value beyond the largest step would be cut."""
    values = torch.nn.functional.gelu(torch.linspace(-10, 10, 1_000_001), approximate=activation)
    assert -_LEAST_OF_GELU < values.min() < -0.9 * _LEAST_OF_GELU
