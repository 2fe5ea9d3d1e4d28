"""A batch of texts cut into micro-batches of like length, each within a budget of tokens."""

from collections.abc import Sequence

import numpy as np
import torch

from bert_classifier.tokenization import EncodedTexts

# What starting one more forward pass costs on a CPU, in tokens' worth of time: keeps the cut from ending in crumbs.
PIECE_COST_TOKENS = 32


def plan_micro_batches(
    lengths: np.ndarray, max_tokens: int, max_rows: int | None = None, piece_cost: int = PIECE_COST_TOKENS
) -> list[np.ndarray]:
    """Cut n texts into the micro-batches that cost least.

    The texts are put in order of length; among all cuts of that row in which no micro-batch has more than
    `max_tokens` tokens (rows × longest) or `max_rows` rows, the one with the fewest padded tokens plus a
    fixed cost a micro-batch is found by dynamic programming. A text longer than the budget is a micro-batch
    of its own.

    Args:
        lengths: int (n,), tokens of each text.
        piece_cost: what a micro-batch costs besides its tokens, in tokens.
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
        cost[end] = candidates[best] + piece_cost
        start[end] = end - rows + best
    pieces: list[np.ndarray] = []
    end = count
    while end:
        pieces.append(order[start[end] : end])
        end = int(start[end])
    return pieces[::-1]


def plan_shards(
    lengths: np.ndarray,
    max_tokens: int,
    num_shards: int,
    max_rows: int | None = None,
    piece_cost: int = PIECE_COST_TOKENS,
) -> list[np.ndarray]:
    """Cut n texts into micro-batches that shards of equal cost can be made of.

    For one shard that is the cheapest cut. For more, their number is rounded up to a multiple of `num_shards`, and
    of the cuts into at most so many the one is taken whose largest micro-batch is smallest.

    Returns:
        indices into `lengths`, one int64 array a micro-batch.
    """
    cheapest = plan_micro_batches(lengths, max_tokens, max_rows, piece_cost)
    if num_shards == 1:
        return cheapest
    most_pieces = -(-len(cheapest) // num_shards) * num_shards
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order].tolist()
    low, high = ordered[-1], max(max_tokens, ordered[-1])
    while low < high:
        middle = (low + high) // 2
        if len(_begins(ordered, middle, max_rows)) <= most_pieces:
            high = middle
        else:
            low = middle + 1
    return np.split(order, _begins(ordered, low, max_rows)[-2::-1])


def _begins(ordered: list[int], max_tokens: int, max_rows: int | None) -> list[int]:
    """Cut texts, ordered by length, into full micro-batches from the longest down; return where each begins."""
    begins = [len(ordered)]
    while begins[-1]:
        end = begins[-1]
        rows = max(1, min(end, max_tokens // ordered[end - 1], max_rows or end))
        begins.append(end - rows)
    return begins[1:]


def deal(costs: Sequence[int], num_shards: int) -> list[list[int]]:
    """Deal micro-batches to shards so that the dearest shard costs little: the dearest first, to whoever has least.

    Returns:
        positions in `costs`, in increasing order, one list a shard.
    """
    shards: list[list[int]] = [[] for _ in range(num_shards)]
    totals = [0] * num_shards
    for piece in sorted(range(len(costs)), key=lambda piece: -costs[piece]):
        least = totals.index(min(totals))
        shards[least].append(piece)
        totals[least] += costs[piece]
    return [sorted(shard) for shard in shards]


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
