"""Divide a batch of texts into micro-batches of similar length, each within a token budget."""

from collections.abc import Sequence

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts

# Fixed cost of a forward pass on a CPU, in tokens: avoids tiny micro-batches at the end.
MICRO_BATCH_OVERHEAD_TOKENS = 32


class _Texts:
    """Texts sorted by length, and how many of them fit into one pass."""

    def __init__(self, lengths: np.ndarray, is_padded: bool) -> None:
        self.order = np.argsort(lengths, kind="stable")
        self.lengths = lengths[self.order].astype(np.int64)
        self._until = np.concatenate([[0], np.cumsum(self.lengths)])
        self._is_padded = is_padded

    def largest(self, end: int, max_tokens: int, max_size: int | None) -> int:
        """Return how many of the texts before `end` fit into one pass, at least one."""
        if self._is_padded:
            size = max_tokens // int(self.lengths[end - 1])
        else:
            size = end - int(np.searchsorted(self._until, self._until[end] - max_tokens))
        return max(1, min(end, size, max_size or end))

    def begins(self, max_tokens: int, max_size: int | None) -> list[int]:
        """Fill micro-batches from the longest text down; return where each begins."""
        begins = [len(self.order)]
        while begins[-1]:
            begins.append(begins[-1] - self.largest(begins[-1], max_tokens, max_size))
        return begins[1:]

    def split(self, max_tokens: int, max_size: int | None) -> list[np.ndarray]:
        """Return the full micro-batches as indices into the lengths given."""
        begins = self.begins(max_tokens, max_size)
        return np.split(self.order, begins[-2::-1]) if begins else []

    def split_evenly(self, most: int, max_tokens: int, max_size: int | None) -> list[np.ndarray]:
        """Return the division into at most `most` micro-batches whose largest is smallest.

        Args:
            most: at least as many as `begins` returns.
        """
        if not most:
            return []
        longest = int(self.lengths[-1])
        low, high = max(longest, -(-int(self._until[-1]) // most)), max(max_tokens, longest)
        while low < high:
            middle = (low + high) // 2
            if len(self.begins(middle, max_size)) <= most:
                high = middle
            else:
                low = middle + 1
        return self.split(low, max_size)


def plan_micro_batches(
    lengths: np.ndarray,
    max_tokens: int,
    max_size: int | None = None,
    micro_batch_overhead: int = MICRO_BATCH_OVERHEAD_TOKENS,
    *,
    is_padded: bool = True,
) -> list[np.ndarray]:
    """Divide n texts into the micro-batches with the lowest total cost.

    The texts are sorted by length. Among all divisions of that sequence within `max_tokens` and `max_size`, dynamic
    programming finds the one with the fewest tokens plus a fixed overhead per micro-batch; without padding that is
    the one with the fewest micro-batches. A text longer than the budget gets its own micro-batch.

    Args:
        lengths: int (n,), tokens of each text.
        max_size: maximum texts per micro-batch; None = as many as fit.
        micro_batch_overhead: fixed cost of a micro-batch, in tokens.
        is_padded: whether a micro-batch costs texts × longest tokens, or else the sum of its tokens.
    Returns:
        indices into `lengths`, one int64 array per micro-batch, shortest texts first.
    """
    texts = _Texts(lengths, is_padded)
    if not is_padded:
        return texts.split(max_tokens, max_size)
    count = len(texts.order)
    cost = np.zeros(count + 1, dtype=np.int64)  # cost[j]: of the best cut of the first j texts
    start = np.zeros(count + 1, dtype=np.int64)  # start[j]: where its last micro-batch begins
    for end in range(1, count + 1):
        begins = np.arange(end - texts.largest(end, max_tokens, max_size), end)
        candidates = cost[begins] + (end - begins) * texts.lengths[end - 1]
        best = int(np.argmin(candidates))
        cost[end] = candidates[best] + micro_batch_overhead
        start[end] = begins[best]
    micro_batches: list[np.ndarray] = []
    end = count
    while end:
        micro_batches.append(texts.order[start[end] : end])
        end = int(start[end])
    return micro_batches[::-1]


def plan_gradient_groups(
    lengths: np.ndarray,
    max_tokens: int,
    num_gradient_groups: int,
    max_size: int | None = None,
    micro_batch_overhead: int = MICRO_BATCH_OVERHEAD_TOKENS,
    *,
    is_padded: bool = True,
) -> list[np.ndarray]:
    """Divide n texts into micro-batches that can be partitioned into gradient groups of about equal cost.

    For one group, that is the cheapest division. For more, round its number of micro-batches up to a multiple of the
    groups, and return the division into at most that many whose largest micro-batch is smallest.

    Args and Returns: see plan_micro_batches.
    """
    cheapest = plan_micro_batches(lengths, max_tokens, max_size, micro_batch_overhead, is_padded=is_padded)
    if num_gradient_groups == 1:
        return cheapest
    most = _round_up(len(cheapest), num_gradient_groups)
    return _Texts(lengths, is_padded).split_evenly(most, max_tokens, max_size)


def plan_even_micro_batches(
    lengths: np.ndarray,
    max_tokens: int,
    num_gradient_groups: int = 1,
    max_size: int | None = None,
    *,
    slack: float = 0.0,
) -> list[np.ndarray]:
    """Divide n texts, which are computed without padding, into as few micro-batches as possible of about equal size.

    This suits GPUs: launching the kernels of a pass costs as much as computing thousands of tokens, so a small rest
    of a batch must not become a pass of its own.

    Args:
        max_tokens: maximum tokens per micro-batch; a longer text gets its own.
        num_gradient_groups: the number of micro-batches is rounded up to a multiple of it.
        max_size: maximum texts per micro-batch; None = as many as fit.
        slack: fraction by which micro-batches may exceed `max_tokens` where there are then fewer of them.
    Returns:
        indices into `lengths`, one int64 array per micro-batch, shortest texts first.
    """
    texts = _Texts(lengths, is_padded=False)
    limit = max_tokens + int(max_tokens * slack)
    fewest = len(texts.begins(limit, max_size))
    return texts.split_evenly(_round_up(fewest, num_gradient_groups), limit, max_size)


def _round_up(number: int, multiple_of: int) -> int:
    return -(-number // multiple_of) * multiple_of


def partition(costs: Sequence[int], num_gradient_groups: int) -> list[list[int]]:
    """Assign micro-batches to groups of about equal cost: the costliest first, each to the cheapest group so far.

    Returns:
        positions in `costs`, in increasing order, one list per group.
    """
    gradient_groups: list[list[int]] = [[] for _ in range(num_gradient_groups)]
    totals = [0] * num_gradient_groups
    for micro_batch in sorted(range(len(costs)), key=lambda micro_batch: -costs[micro_batch]):
        least = totals.index(min(totals))
        gradient_groups[least].append(micro_batch)
        totals[least] += costs[micro_batch]
    return [sorted(group) for group in gradient_groups]


def pad(encoded: EncodedTexts, windows: np.ndarray, pad_id: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the tensors of one micro-batch.

    Args:
        windows: int (b,).
    Returns:
        input_ids int64 (b, longest), and attention_mask of the same shape (1 = token, 0 = padding) or None
        when nothing is padded: attention without a mask is faster.
    """
    starts, lengths = encoded.offsets[windows], encoded.lengths[windows]
    longest = int(lengths.max())
    columns = np.arange(longest)
    is_token = columns < lengths[:, None]
    positions = np.where(is_token, starts[:, None] + columns, 0)
    ids = np.where(is_token, encoded.ids[positions], pad_id).astype(np.int64)
    mask = None if is_token.all() else torch.from_numpy(is_token.astype(np.int64))
    return torch.from_numpy(ids), mask
