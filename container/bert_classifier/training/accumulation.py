"""The gradient of a global batch: the same whatever the cut into micro-batches and whoever computes them."""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.encoding.micro_batches import deal, plan_shards
from bert_classifier.errors import PlatformError
from bert_classifier.modeling.forward import Forward
from bert_classifier.training.batching import Split, derive_seed
from bert_classifier.training.distributed import World
from bert_classifier.training.gradient_sum import GradientSum
from bert_classifier.training.optimization import densify_gradients

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
    """A global batch cut into micro-batches, which are dealt into shards.

    Attributes:
        pieces: the windows of each micro-batch, as positions in the batch.
        shards: the micro-batches of each shard, as positions in `pieces`.
    """

    batch: _Batch
    pieces: Sequence[np.ndarray]
    shards: Sequence[Sequence[int]]


class GradientAccumulator:
    """Sets the gradients of a model to those of the mean loss over a whole global batch.

    The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch, CEᵢ the mean over the windows of text i: each window's
    cross-entropy counts with its share of the whole batch, so that neither the cut nor a smaller last batch changes
    the result. The batch is dealt into shards; a rank computes whole shards, and their sums are added in the order of
    the shards: the bits depend on the number of shards, not on the number of ranks.

    Args:
        split: what is learned from.
        class_weights: float32 (classes,), on the device.
        max_rows: most windows in a micro-batch.
        piece_cost: what a micro-batch costs besides its tokens, in tokens.
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
        piece_cost: int,
        seed: int,
        scaler: torch.amp.GradScaler,
        world: World,
    ) -> None:
        self._forward = forward
        self._split = split
        self._class_weights = class_weights.cpu().double().numpy()
        self._device = class_weights.device
        self._max_rows = max_rows
        self._piece_cost = piece_cost
        self._seed = seed
        self._scaler = scaler
        self._world = world
        self._learning = [p for p in forward.model.parameters() if p.requires_grad]
        self._used = np.zeros(len(self._learning), dtype=np.int64)  # > 0 where backward leaves a gradient
        self._knows_used = False
        self._data_seconds = self._sync_seconds = 0.0

    def accumulate(self, rows: np.ndarray, step: int, token_budget: int, num_shards: int) -> BatchReport:
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
            pieces = plan_shards(
                batch.lengths,
                token_budget,
                num_shards,
                self._max_rows,
                self._piece_cost,
                is_padded=self._forward.is_padded,
            )
            costs = [self._forward.tokens_of(batch.lengths[piece]) for piece in pieces]
            shards = deal(costs, num_shards)
            self._data_seconds += time.monotonic() - started
            computed = self._compute(_Cut(batch, pieces, shards), step)
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
        """Compute this rank's shards; return each one's loss and the gradients' sum, or None for want of memory."""
        self._forward.model.train()
        losses = torch.zeros(len(cut.shards), dtype=torch.float64, device=self._device)
        gradients = GradientSum(self._world, self._learning, len(cut.shards))
        for first in range(0, len(cut.shards), self._world.size):
            loss = self._compute_shard(cut, step, first + self._world.rank, gradients)
            if self._any_failed(loss is None) or loss is None:
                return None
            losses[first + self._world.rank : first + self._world.rank + 1] = loss  # nothing beyond the last
            if self._is_shared(len(losses)):
                self._timed(gradients.add_wave)
        return losses, gradients

    def _compute_shard(self, cut: _Cut, step: int, shard: int, gradients: GradientSum) -> torch.Tensor | None:
        """Compute a shard and hand its gradient over; return its loss, or None when the memory did not suffice.

        Args:
            shard: its number; beyond the last there is nothing to compute.
        """
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        try:
            self._forward.model.zero_grad(set_to_none=True)
            for piece in cut.shards[shard] if shard < len(cut.shards) else ():
                torch.manual_seed(derive_seed(self._seed, "dropout", step, piece))
                loss += self._backward(cut.batch, cut.pieces[piece])
            densify_gradients(self._forward.model)
            if self._is_shared(len(cut.shards)):
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

    def _backward(self, batch: _Batch, piece: np.ndarray) -> torch.Tensor:
        """Add the gradient of one micro-batch; return its share of the loss."""
        started = time.monotonic()
        inputs = self._forward.inputs(self._split.encoded, batch.windows[piece])
        targets, shares = (torch.from_numpy(a[piece]).to(self._device) for a in (batch.targets, batch.shares))
        self._data_seconds += time.monotonic() - started
        logits = self._forward.compute(inputs)
        loss = (functional.cross_entropy(logits, targets, reduction="none") * shares).sum()
        self._scaler.scale(loss).backward()
        return loss.detach().double()

    def _any_failed(self, has_failed: bool) -> bool:
        """Wait for all ranks; say whether the memory of any of them did not suffice."""
        if self._device.type == "cuda" and self._world.size > 1:
            torch.cuda.synchronize()  # so that computing does not count as waiting
        started = time.monotonic()
        any_failed = self._world.agree(int(has_failed))
        self._sync_seconds += time.monotonic() - started
        return bool(any_failed)

    def _is_shared(self, num_shards: int) -> bool:
        return num_shards > 1 or self._world.size > 1

    def _share(self, losses: torch.Tensor, gradients: GradientSum) -> tuple[float, float]:
        """Give all ranks the sums over all shards; return the loss, and the mean of the ranks' seconds for that."""
        if self._is_shared(len(losses)):
            self._timed(lambda: self._spread(gradients))
        told = np.append(losses.cpu().numpy(), self._sync_seconds)  # in one message
        self._world.add_up(told)
        return float(told[:-1].sum()), float(told[-1]) / self._world.size

    def _spread(self, gradients: GradientSum) -> None:
        """Make the sum the parameters' gradients; parameters that backward never reaches have none."""
        if not self._knows_used:
            self._world.add_up(self._used)
            self._knows_used = True
        parts = gradients.parts_of(gradients.whole())
        for (parameter, part), is_used in zip(parts, self._used, strict=True):
            parameter.grad = part if is_used else None
        if self._device.type == "cuda" and self._world.size > 1:
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
