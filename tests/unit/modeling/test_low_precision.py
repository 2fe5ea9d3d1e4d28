"""bfloat16 weights: what is rounded, and what must not be."""

import copy
from typing import Any

import pytest
import torch
import transformers

from bert_classifier.modeling.low_precision import to_bfloat16


@pytest.fixture(scope="module")
def modernbert() -> Any:
    """Return a small classifier with rotary positions whose attention depends on them."""
    torch.manual_seed(0)
    config = transformers.ModernBertConfig(
        vocab_size=600, pad_token_id=0, hidden_size=128, intermediate_size=256, num_hidden_layers=3,
        num_attention_heads=2, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, initializer_range=0.25,
        layer_types=["full_attention"] * 3,
    )  # fmt: skip
    return transformers.ModernBertForSequenceClassification(config).eval()


def test_all_parameters_are_rounded_and_no_buffer(modernbert):
    """Frequencies of positions keep float32."""
    low = to_bfloat16(copy.deepcopy(modernbert))
    assert {p.dtype for p in low.parameters()} == {torch.bfloat16}
    buffers = dict(low.named_buffers())
    assert any("inv_freq" in name for name in buffers)
    assert all(torch.equal(buffers[name], buffer) for name, buffer in modernbert.named_buffers())


def test_long_texts_keep_their_logits(modernbert):
    """At 1,024 tokens, which rounded buffers would get wrong by more than a third."""
    ids = torch.randint(5, 600, (8, 1024), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = modernbert(input_ids=ids).logits
        ours = to_bfloat16(copy.deepcopy(modernbert))(input_ids=ids).logits.float()
        all_rounded = copy.deepcopy(modernbert).to(torch.bfloat16)(input_ids=ids).logits.float()
    assert (ours - exact).norm() < 0.1 * exact.norm()
    assert (all_rounded - exact).norm() > 0.3 * exact.norm()
