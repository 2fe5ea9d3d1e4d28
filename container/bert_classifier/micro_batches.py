"""A batch of texts cut into micro-batches of like length, each within a budget of tokens."""

import numpy as np
import torch

from bert_classifier.tokenization import EncodedTexts

# What starting one more forward pass costs, in tokens' worth of time: keeps the cut from ending in crumbs.
_PIECE_COST_TOKENS = 32


def plan_micro_batches(lengths: np.ndarray, max_tokens: int, max_rows: int | None = None) -> list[np.ndarray]:
    """Cut n texts into the micro-batches that cost least.

    The texts are put in order of length; among all cuts of that row in which no micro-batch has more than
    `max_tokens` tokens (rows × longest) or `max_rows` rows, the one with the fewest padded tokens plus a
    fixed cost a micro-batch is found by dynamic programming. A text longer than the budget is a micro-batch
    of its own.

    Args:
        lengths: int (n,), tokens of each text.
    Returns:
        indices into `lengths`, one int64 array a micro-batch, shortest texts first.
    """
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order].astype(np.int64)
    count = len(order)
    cost = np.zeros(count + 1, dtype=np.int64)  # cost[j]: of the best cut of the first j texts
    start = np.zeros(count + 1, dtype=np.int64)  # start[j]: where its last micro-batch begins
    for end in range(1, count + 1):
        longest = int(ordered[end - 1])
        rows = max(1, min(end, max_tokens // longest, max_rows or count))
        sizes = np.arange(rows, 0, -1)
        candidates = cost[end - rows : end] + sizes * longest
        best = int(np.argmin(candidates))
        cost[end] = candidates[best] + _PIECE_COST_TOKENS
        start[end] = end - rows + best
    pieces: list[np.ndarray] = []
    end = count
    while end:
        pieces.append(order[start[end] : end])
        end = int(start[end])
    return pieces[::-1]


def pad(encoded: EncodedTexts, rows: np.ndarray, pad_id: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the tensors of one micro-batch.

    Args:
        rows: which texts, int (b,).
    Returns:
        input_ids int64 (b, longest), and attention_mask of the same shape (1 = token, 0 = padding) or None
        when nothing is padded: attention without a mask is faster.
    """
    starts, lengths = encoded.offsets[rows], encoded.lengths[rows]
    longest = int(lengths.max())
    columns = np.arange(longest)
    is_token = columns < lengths[:, None]
    positions = np.where(is_token, starts[:, None] + columns, 0)
    ids = np.where(is_token, encoded.ids[positions], pad_id).astype(np.int64)
    mask = None if is_token.all() else torch.from_numpy(is_token.astype(np.int64))
    return torch.from_numpy(ids), mask
