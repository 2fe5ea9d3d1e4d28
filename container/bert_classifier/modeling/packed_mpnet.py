"""MPNet's attention without padding, on CPUs: transformers' attention interface knows no bias of relative positions.

Its modules get a class of their own with the same weights, so that copies and checkpoints stay what they were.
"""

from typing import Any

import torch
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder, MPNetSelfAttention

from bert_classifier.modeling.packed_attention import attend_text_by_text, texts_in_row


def let_mpnet_attend(encoder: Any) -> None:
    """Let an encoder of MPNet keep texts apart that lie side by side in a row."""
    encoder.__class__ = _RowEncoder
    for layer in encoder.layer:
        layer.attention.attn.__class__ = _RowAttention


class _RowEncoder(MPNetEncoder):
    """Computes the bias of relative positions for the longest text only."""

    def compute_position_bias(self, x: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        """Return the bias, (texts, heads, longest, longest); in a row the same for all texts, (1, …)."""
        texts = texts_in_row()
        longest = x if texts is None else x[:, : texts.longest]
        bias: torch.Tensor = super().compute_position_bias(longest, *arguments, **options)  # type: ignore[no-untyped-call]
        return bias


class _RowAttention(MPNetSelfAttention):
    """Attends within the texts of a row."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_bias: torch.Tensor | None = None,
        output_attentions: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, ...]:
        """Return the attended states, in a row as (1, tokens, size)."""
        texts = texts_in_row()
        if texts is None:
            outputs: tuple[torch.Tensor, ...] = super().forward(  # type: ignore[no-untyped-call]
                hidden_states, attention_mask, position_bias, output_attentions, **kwargs
            )
            return outputs
        heads = (self.num_attention_heads, self.attention_head_size)
        query, key, value = (
            project(hidden_states)[0].unflatten(-1, heads) for project in (self.q, self.k, self.v)
        )
        attended = attend_text_by_text(query, key, value, texts, scale=None, bias=position_bias)
        return (self.o(attended.flatten(1))[None],)
