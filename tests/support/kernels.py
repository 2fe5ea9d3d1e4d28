"""A stand-in for the GPU's attention kernel, for tests of the compiled path without a GPU."""

import torch
from torch.nn import functional


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
    """Attend within texts without looking at the numbers in `begins`, as a compiler wants it."""
    places = torch.arange(query.shape[0], dtype=begins.dtype)
    text = torch.searchsorted(begins[1:].contiguous(), places, right=True)
    mask = text[:, None] == text[None]
    q, k, v = (vectors.transpose(0, 1) for vectors in (query, key, value))
    attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    return attended.transpose(0, 1)
