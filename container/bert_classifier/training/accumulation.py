"""The gradient of a global batch: the same whatever the cut into micro-batches and whoever computes them."""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.encoding.micro_batches import partition, plan_gradient_groups
from bert_classifier.errors import PlatformError
from bert_classifier.modeling.forward import Forward
from bert_classifier.training.batching import Split, derive_seed
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_sum import GradientSum
from bert_classifier.training.optimizer import densify_gradients

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BatchReport:
    """What one global batch was: its loss, the tokens computed, padding counted, and the budget that sufficed.

    Of this rank's time, `data_seconds` went into cutting the batch and laying its tokens out, `sync_seconds` into
    waiting for other ranks and exchanging gradients with them; `mean_sync_seconds` is the mean of that over all ranks.
    """

    loss: float
    padded_tokens: int
    token_budget: int
    data_seconds: float
    sync_seconds: float
    mean_sync_seconds: float


@dataclasses.dataclass(frozen=True)
class _Batch:
    """A global batch, window by window.

    Attributes:
        windows: of the split's texts, int64 (w,).
        lengths: tokens of each, int64 (w,).
        targets: class of each one's text, int64 (w,).
        shares: how much each one's cross-entropy counts in the loss, float32 (w,); together 1.
    """

    windows: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    shares: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Cut:
    """A global batch cut into micro-batches, which are partitioned into gradient groups.

    Attributes:
        micro-batches: the windows of each micro-batch, as positions in the batch.
        gradient_groups: the micro-batches of each group, as positions in `micro_batches`.
    """

    batch: _Batch
    micro_batches: Sequence[np.ndarray]
    gradient_groups: Sequence[Sequence[int]]


class GradientAccumulator:
    """Sets the gradients of a model to those of the mean loss over a whole global batch.

    The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch, CEᵢ the mean over the windows of text i: each window's
    cross-entropy counts with its share of the whole batch, so that neither the cut nor a smaller last batch changes
    the result. The batch is partitioned into gradient groups. A rank computes whole groups, and their sums are added
    in the order of the groups: the bits depend on the number of groups, not on the number of ranks.

    Args:
        split: what is learned from.
        class_weights: float32 (classes,), on the device.
        max_rows: most windows in a micro-batch.
        micro_batch_overhead: what a micro-batch costs besides its tokens, in tokens.
        seed: the run's; with step and micro-batch it seeds dropout.
        scaler: multiplies the loss where the precision needs it.
    """

    def __init__(
        self,
        forward: Forward,
        split: Split,
        *,
        class_weights: torch.Tensor,
        max_rows: int | None,
        micro_batch_overhead: int,
        seed: int,
        scaler: torch.amp.GradScaler,
        distributed: DistributedContext,
    ) -> None:
        self._forward = forward
        self._split = split
        self._class_weights = class_weights.cpu().double().numpy()
        self._device = class_weights.device
        self._max_rows = max_rows
        self._micro_batch_overhead = micro_batch_overhead
        self._seed = seed
        self._scaler = scaler
        self._distributed = distributed
        self._learning = [p for p in forward.model.parameters() if p.requires_grad]
        self._used = np.zeros(len(self._learning), dtype=np.int64)  # > 0 where backward leaves a gradient
        self._knows_used = False
        self._data_seconds = self._sync_seconds = 0.0

    def accumulate(
        self, rows: np.ndarray, step: int, token_budget: int, num_gradient_groups: int
    ) -> BatchReport:
        """Compute the gradient of one global batch.

        When a GPU runs out of memory, all ranks start over with half the token budget: the cut changes, the
        gradient does not.

        Args:
            rows: the texts of the batch.
            step: of the run.
            token_budget: most tokens of a micro-batch, padding counted.
        Raises:
            PlatformError: when a single window does not fit into the GPU's memory.
        """
        started = time.monotonic()
        batch = self._lay_out(rows)
        self._data_seconds = self._sync_seconds = 0.0
        while True:
            micro_batches = plan_gradient_groups(
                batch.lengths,
                token_budget,
                num_gradient_groups,
                self._max_rows,
                self._micro_batch_overhead,
                is_padded=self._forward.is_padded,
            )
            costs = [self._forward.tokens_of(batch.lengths[micro_batch]) for micro_batch in micro_batches]
            gradient_groups = partition(costs, num_gradient_groups)
            self._data_seconds += time.monotonic() - started
            computed = self._compute(_Cut(batch, micro_batches, gradient_groups), step)
            if computed is not None:
                break
            started = time.monotonic()
            self._free_memory()
            token_budget = _halved(token_budget, max(costs), int(batch.lengths.max()))
        loss, mean_sync_seconds = self._share(*computed)
        return BatchReport(
            loss, sum(costs), token_budget, self._data_seconds, self._sync_seconds, mean_sync_seconds
        )

    def _lay_out(self, rows: np.ndarray) -> _Batch:
        windows, counts = self._split.encoded.windows_of(rows)
        targets = self._split.targets[rows]
        weights = self._class_weights[targets]
        shares = np.repeat(weights / counts / weights.sum(), counts).astype(np.float32)
        return _Batch(windows, self._split.encoded.lengths[windows], np.repeat(targets, counts), shares)

    def _compute(self, cut: _Cut, step: int) -> tuple[torch.Tensor, GradientSum] | None:
        """Compute this rank's gradient groups; return their losses and gradients' sum, or None if memory ran out."""
        self._forward.model.train()
        losses = torch.zeros(len(cut.gradient_groups), dtype=torch.float64, device=self._device)
        gradients = GradientSum(self._distributed, self._learning, len(cut.gradient_groups))
        for first in range(0, len(cut.gradient_groups), self._distributed.size):
            loss = self._compute_group(cut, step, first + self._distributed.rank, gradients)
            if self._any_failed(loss is None) or loss is None:
                return None
            losses[first + self._distributed.rank : first + self._distributed.rank + 1] = (
                loss  # nothing beyond the last
            )
            if self._is_shared(len(losses)):
                self._timed(gradients.add_round)
        return losses, gradients

    def _compute_group(self, cut: _Cut, step: int, group: int, gradients: GradientSum) -> torch.Tensor | None:
        """Compute a gradient group and pass on its gradient; return its loss, or None when memory did not suffice.

        Args:
            group: its number; beyond the last there is nothing to compute.
        """
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        try:
            self._forward.model.zero_grad(set_to_none=True)
            for micro_batch in cut.gradient_groups[group] if group < len(cut.gradient_groups) else ():
                torch.manual_seed(derive_seed(self._seed, "dropout", step, micro_batch))
                loss += self._backward(cut.batch, cut.micro_batches[micro_batch])
            densify_gradients(self._forward.model)
            if self._is_shared(len(cut.gradient_groups)):
                self._used |= [p.grad is not None for p in self._learning]
                gradients.take()
        except torch.OutOfMemoryError:
            return None
        return loss

    def _free_memory(self) -> None:
        self._forward.model.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _timed(self, exchange: Callable[[], None]) -> None:
        """Do something with other ranks, and count its time as waiting for them."""
        started = time.monotonic()
        exchange()
        self._sync_seconds += time.monotonic() - started

    def _backward(self, batch: _Batch, micro_batch: np.ndarray) -> torch.Tensor:
        """Add the gradient of one micro-batch; return its share of the loss."""
        started = time.monotonic()
        inputs = self._forward.inputs(self._split.encoded, batch.windows[micro_batch])
        targets, shares = (
            torch.from_numpy(a[micro_batch]).to(self._device) for a in (batch.targets, batch.shares)
        )
        self._data_seconds += time.monotonic() - started
        logits = self._forward.compute(inputs)
        loss = (functional.cross_entropy(logits, targets, reduction="none") * shares).sum()
        self._scaler.scale(loss).backward()
        return loss.detach().double()

    def _any_failed(self, has_failed: bool) -> bool:
        """Wait for all ranks; say whether the memory of any of them did not suffice."""
        if self._device.type == "cuda" and self._distributed.size > 1:
            torch.cuda.synchronize()  # so that computing does not count as waiting
        started = time.monotonic()
        any_failed = self._distributed.all_reduce_max(int(has_failed))
        self._sync_seconds += time.monotonic() - started
        return bool(any_failed)

    def _is_shared(self, num_gradient_groups: int) -> bool:
        return num_gradient_groups > 1 or self._distributed.size > 1

    def _share(self, losses: torch.Tensor, gradients: GradientSum) -> tuple[float, float]:
        """Give all ranks the sums over all gradient groups; return the loss, and the ranks' mean seconds for that."""
        if self._is_shared(len(losses)):
            self._timed(lambda: self._spread(gradients))
        told = np.append(losses.cpu().numpy(), self._sync_seconds)  # in one message
        self._distributed.all_reduce_sum(told)
        return float(told[:-1].sum()), float(told[-1]) / self._distributed.size

    def _spread(self, gradients: GradientSum) -> None:
        """Make the sum the parameters' gradients; parameters that backward never reaches have none."""
        if not self._knows_used:
            self._distributed.all_reduce_sum(self._used)
            self._knows_used = True
        parts = gradients.parts_of(gradients.whole())
        for (parameter, part), is_used in zip(parts, self._used, strict=True):
            parameter.grad = part if is_used else None
        if self._device.type == "cuda" and self._distributed.size > 1:
            torch.cuda.synchronize()  # so that the exchange does not count as computing


def _halved(token_budget: int, largest: int, longest: int) -> int:
    """Return half of what did not fit into memory.

    Args:
        largest: tokens of the largest micro-batch tried.
        longest: tokens of the longest text; one text cannot be cut.
    Raises:
        PlatformError: when the largest micro-batch was already a single text.
    """
    if largest <= longest:
        raise PlatformError(
            f"The GPU's memory does not hold the training of one text of {longest} tokens.",
            "Lower max_seq_length, or use an instance whose GPU has more memory.",
        )
    halved = max(longest, min(token_budget, largest) // 2)
    logger.warning(
        "out of GPU memory with micro-batches of %d tokens: the step is repeated with at most %d",
        largest,
        halved,
    )
    return halved
