"""The gradient of a global batch, independent of its micro-batches and of the number of ranks."""

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
    """The result of one global batch.

    Attributes:
        padded_tokens: tokens computed, padding included.
        token_budget: the one with which the batch fitted into memory.
        data_seconds: time that this rank spent planning micro-batches and assembling their inputs.
        sync_seconds: time that this rank spent waiting for other ranks and exchanging gradients.
        mean_sync_seconds: mean of `sync_seconds` over all ranks.
    """

    loss: float
    padded_tokens: int
    token_budget: int
    data_seconds: float
    sync_seconds: float
    mean_sync_seconds: float


@dataclasses.dataclass(frozen=True)
class _Batch:
    """The w windows of a global batch.

    Attributes:
        windows: indices into the split's windows, int64 (w,).
        lengths: in tokens, int64 (w,).
        targets: class index of each window's text, int64 (w,).
        shares: weight of each window's cross-entropy in the loss, float32 (w,); they sum to 1.
    """

    windows: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    shares: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A global batch divided into micro-batches, which are partitioned into gradient groups.

    Attributes:
        micro_batches: the windows of each micro-batch, as positions in the batch.
        gradient_groups: the micro-batches of each group, as positions in `micro_batches`.
    """

    batch: _Batch
    micro_batches: Sequence[np.ndarray]
    gradient_groups: Sequence[Sequence[int]]


class GradientAccumulator:
    """Sets the gradients of a model to those of the mean loss over a whole global batch.

    The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch, with CEᵢ the mean over the windows of text i. Each window's
    cross-entropy is weighted by its share of the whole batch, so neither the micro-batches nor a smaller last batch
    change the result. The batch is partitioned into gradient groups. A rank computes whole groups, and their gradients
    are added in the order of the groups: the bits depend on the number of groups, not on the number of ranks.

    Args:
        split: the training texts.
        class_weights: float32 (classes,), on the device.
        max_windows: maximum number of windows in a micro-batch.
        micro_batch_overhead: cost of a micro-batch besides its tokens, in tokens.
        seed: of the run; with step and micro-batch it seeds dropout.
        scaler: scales the loss if the precision needs it.
    """

    def __init__(
        self,
        forward: Forward,
        split: Split,
        *,
        class_weights: torch.Tensor,
        max_windows: int | None,
        micro_batch_overhead: int,
        seed: int,
        scaler: torch.amp.GradScaler,
        distributed: DistributedContext,
    ) -> None:
        self._forward = forward
        self._split = split
        self._class_weights = class_weights.cpu().double().numpy()
        self._device = class_weights.device
        self._max_windows = max_windows
        self._micro_batch_overhead = micro_batch_overhead
        self._seed = seed
        self._scaler = scaler
        self._distributed = distributed
        self._trainable = [p for p in forward.model.parameters() if p.requires_grad]
        self._used = np.zeros(len(self._trainable), dtype=np.int64)  # > 0 where backward leaves a gradient
        self._knows_used = False
        self._data_seconds = self._sync_seconds = 0.0

    def accumulate(
        self, indices: np.ndarray, step: int, token_budget: int, num_gradient_groups: int
    ) -> BatchReport:
        """Compute the gradient of one global batch.

        If a GPU runs out of memory, all ranks repeat the batch with half the token budget: the micro-batches change,
        the gradient does not.

        Args:
            indices: the batch's texts in the split.
            step: optimizer step of the run.
            token_budget: maximum number of tokens in a micro-batch, padding included.
        Raises:
            PlatformError: when a single window does not fit into the GPU's memory.
        """
        started = time.monotonic()
        batch = self._windows_of(indices)
        self._data_seconds = self._sync_seconds = 0.0
        while True:
            micro_batches = plan_gradient_groups(
                batch.lengths,
                token_budget,
                num_gradient_groups,
                self._max_windows,
                self._micro_batch_overhead,
                is_padded=self._forward.is_padded,
            )
            costs = [self._forward.tokens_of(batch.lengths[micro_batch]) for micro_batch in micro_batches]
            gradient_groups = partition(costs, num_gradient_groups)
            self._data_seconds += time.monotonic() - started
            computed = self._compute(_Plan(batch, micro_batches, gradient_groups), step)
            if computed is not None:
                break
            started = time.monotonic()
            self._free_memory()
            token_budget = _halved(token_budget, max(costs), int(batch.lengths.max()))
        loss, mean_sync_seconds = self._share(*computed)
        return BatchReport(
            loss, sum(costs), token_budget, self._data_seconds, self._sync_seconds, mean_sync_seconds
        )

    def _windows_of(self, indices: np.ndarray) -> _Batch:
        windows, counts = self._split.encoded.windows_of(indices)
        targets = self._split.targets[indices]
        weights = self._class_weights[targets]
        shares = np.repeat(weights / counts / weights.sum(), counts).astype(np.float32)
        return _Batch(windows, self._split.encoded.lengths[windows], np.repeat(targets, counts), shares)

    def _compute(self, plan: _Plan, step: int) -> tuple[torch.Tensor, GradientSum] | None:
        """Compute this rank's groups; return losses and the sum of gradients, or None if any rank ran out of memory."""
        self._forward.model.train()
        losses = torch.zeros(len(plan.gradient_groups), dtype=torch.float64, device=self._device)
        gradients = GradientSum(self._distributed, self._trainable, len(plan.gradient_groups))
        for group in range(
            self._distributed.rank, len(losses) + self._distributed.rank, self._distributed.size
        ):
            loss = self._compute_group(plan, step, group, gradients)
            if self._any_failed(loss is None) or loss is None:
                return None
            losses[group : group + 1] = loss  # an empty slice beyond the last group
            if self._is_shared(len(losses)):
                self._timed(gradients.add_round)
        return losses, gradients

    def _compute_group(
        self, plan: _Plan, step: int, group: int, gradients: GradientSum
    ) -> torch.Tensor | None:
        """Compute a gradient group and hand over its gradient; return its loss, or None if memory ran out.

        Args:
            group: its number; beyond the last one there is nothing to compute.
        """
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        try:
            self._forward.model.zero_grad(set_to_none=True)
            for micro_batch in plan.gradient_groups[group] if group < len(plan.gradient_groups) else ():
                torch.manual_seed(derive_seed(self._seed, "dropout", step, micro_batch))
                loss += self._backward(plan.batch, plan.micro_batches[micro_batch])
            densify_gradients(self._forward.model)
            if self._is_shared(len(plan.gradient_groups)):
                self._used |= [p.grad is not None for p in self._trainable]
                gradients.take_gradients()
        except torch.OutOfMemoryError:
            return None
        return loss

    def _free_memory(self) -> None:
        self._forward.model.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _timed(self, exchange: Callable[[], None]) -> None:
        """Run an exchange with other ranks and add its time to the sync time."""
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
        """Wait for all ranks; say whether any of them ran out of memory."""
        if self._device.type == "cuda" and self._distributed.size > 1:
            torch.cuda.synchronize()  # computing must not count as waiting
        started = time.monotonic()
        any_failed = self._distributed.all_reduce_max(int(has_failed))
        self._sync_seconds += time.monotonic() - started
        return bool(any_failed)

    def _is_shared(self, num_gradient_groups: int) -> bool:
        return num_gradient_groups > 1 or self._distributed.size > 1

    def _share(self, losses: torch.Tensor, gradients: GradientSum) -> tuple[float, float]:
        """Give all ranks the sum of the gradients; return the loss, and the mean sync seconds of all ranks."""
        if self._is_shared(len(losses)):
            self._timed(lambda: self._set_gradients(gradients))
        values = np.append(losses.cpu().numpy(), self._sync_seconds)  # in one message
        self._distributed.all_reduce_sum(values)
        return float(values[:-1].sum()), float(values[-1]) / self._distributed.size

    def _set_gradients(self, gradients: GradientSum) -> None:
        """Make the sum the parameters' gradients; parameters that backward never reaches get none."""
        if not self._knows_used:
            self._distributed.all_reduce_sum(self._used)
            self._knows_used = True
        parts = gradients.views_of(gradients.total())
        for (parameter, part), is_used in zip(parts, self._used, strict=True):
            parameter.grad = part if is_used else None
        if self._device.type == "cuda" and self._distributed.size > 1:
            torch.cuda.synchronize()  # the exchange must not count as computing


def _halved(token_budget: int, largest: int, longest: int) -> int:
    """Halve a token budget that did not fit into memory.

    Args:
        largest: tokens of the largest micro-batch tried.
        longest: tokens of the longest window, the smallest possible micro-batch.
    Raises:
        PlatformError: when the largest micro-batch was already a single window.
    """
    if largest <= longest:
        raise PlatformError(
            f"The GPU's memory is too small to train on one text of {longest} tokens.",
            "Lower max_seq_length, or use an instance whose GPU has more memory.",
        )
    halved = max(longest, min(token_budget, largest) // 2)
    logger.warning(
        "out of GPU memory with micro-batches of %d tokens: repeating the step with at most %d",
        largest,
        halved,
    )
    return halved
