"""Stand-ins for the GPU's attention kernel, for tests of the padding-free path without a GPU."""

import itertools

import torch
from torch.nn import functional


def attend_text_by_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    begins: torch.Tensor,
    _begins: torch.Tensor,
    longest: int,
    _longest: int,
    *,
    scale: float,
) -> torch.Tensor:
    """Compute what the GPU's kernel computes: attention of (tokens, heads, size) vectors within each text."""
    ends = begins.tolist()
    assert longest >= max(b - a for a, b in itertools.pairwise(ends))
    texts = []
    for a, b in itertools.pairwise(ends):
        q, k, v = (vectors[a:b].transpose(0, 1) for vectors in (query, key, value))
        texts.append(functional.scaled_dot_product_attention(q, k, v, scale=scale).transpose(0, 1))
    return torch.cat(texts)


def attend_by_mask(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    begins: torch.Tensor,
    _begins: torch.Tensor,
    _longest: int,
    _longest_key: int,
    *,
    scale: float,
) -> torch.Tensor:
    """Compute the same without looking at the numbers in `begins`, as a compiler wants it."""
    places = torch.arange(query.shape[0], dtype=begins.dtype)
    text = torch.searchsorted(begins[1:].contiguous(), places, right=True)
    mask = text[:, None] == text[None]
    q, k, v = (vectors.transpose(0, 1) for vectors in (query, key, value))
    attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    return attended.transpose(0, 1)
