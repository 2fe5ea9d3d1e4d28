"""Attention within one text, to all of it or to the tokens near by; torch alone, as torch.jit.script compiles it too.

Vectors are (1, heads, tokens, size); keys and values may have fewer heads than queries, each shared by several.
"""

import torch
from torch.nn import functional

# From so many windows of text on, blocks cost less than a mask over all pairs of tokens.
BLOCKS_FROM = 4


def band(length: int, window: int, device: torch.device) -> torch.Tensor:
    """Return whether a token sees another one, less than a window away: bool (1, 1, length, length)."""
    positions = torch.arange(length, device=device)
    return ((positions[:, None] - positions).abs() < window)[None, None]


def attend_within(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float | None,
    window: int | None,
    mask: torch.Tensor | None,
    blocks_from: int = BLOCKS_FROM,
) -> torch.Tensor:
    """Return what a text's tokens attend to, (1, heads, tokens, size).

    Args:
        window: a token sees those less than so many tokens away; None: all of its text.
        mask: what is added to the scores, or with a window its band; for the longest text, or more.
    """
    length, has_groups = query.shape[2], query.shape[1] != key.shape[1]
    if window is not None and length > blocks_from * window:
        return _attend_in_blocks(query, key, value, window, scale, has_groups)
    if mask is not None:
        mask = None if window is not None and length <= window else mask[:, :, :length, : key.shape[2]]
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scale, enable_gqa=has_groups
    )


def _attend_in_blocks(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    window: int,
    scale: float | None,
    has_groups: bool,
) -> torch.Tensor:
    """Attend within a window, block by block: linear in a text's length, where a mask would be quadratic.

    Each block of 2 · window queries sees its own tokens and window - 1 on either side.
    """
    length, block, beside = query.shape[2], 2 * window, window - 1
    blocks = (length + block - 1) // block
    rest = blocks * block - length
    queries = functional.pad(query, [0, 0, 0, rest]).unflatten(2, [blocks, block])[0].transpose(0, 1)
    keys, values = [
        functional.pad(vectors, [0, 0, beside, beside + rest])
        .unfold(2, block + 2 * beside, block)[0]
        .permute(1, 0, 3, 2)
        for vectors in (key, value)
    ]  # (blocks, heads, block + 2 · beside, size)
    begins = torch.arange(blocks, device=query.device)[:, None, None] * block
    asking = begins + torch.arange(block, device=query.device)[:, None]
    seen = begins + torch.arange(-beside, block + beside, device=query.device)
    mask = ((asking - seen).abs() < window) & (seen >= 0) & (seen < length)
    mask |= asking >= length  # padding must see something: a softmax over nothing is not a number
    attended = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask[:, None], scale=scale, enable_gqa=has_groups
    )
    return attended.transpose(0, 1).flatten(1, 2)[None, :, :length]
