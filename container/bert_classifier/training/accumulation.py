"""The gradient of a global batch, independent of its micro-batches and of the number of ranks."""

import dataclasses
import logging
from collections.abc import Callable

import numpy as np
import torch

from bert_classifier.errors import PlatformError
from bert_classifier.modeling.losses import cross_entropies
from bert_classifier.training.batch_plan import BatchPlan, MicroBatch
from bert_classifier.training.batching import derive_seed
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_modes import GradientMode
from bert_classifier.training.timing import SyncTimer, WorkTimer

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BatchReport:
    """The result of one global batch.

    Attributes:
        sums: float64 (groups + 1,), on the device: the loss of each group, and the seconds that all ranks waited.
        gradient: the gradient as one vector, where it is one.
        examples: texts of the batch.
        tokens: of the batch, without padding.
        padded_tokens: tokens computed, padding included.
        token_budget: the one with which the batch fitted into memory.
        data_seconds: time that this rank spent planning micro-batches and assembling their inputs, or waiting for it.
        sync_seconds: time that this rank spent waiting for other ranks and exchanging gradients; on a GPU, in the steps
            that are known to be done.
    """

    sums: torch.Tensor
    gradient: torch.Tensor | None
    examples: int
    tokens: int
    padded_tokens: int
    token_budget: int
    data_seconds: float
    sync_seconds: float

    @property
    def loss(self) -> float:
        """The loss; a GPU must have computed it first."""
        return loss_of(self.sums.cpu().numpy())


def loss_of(sums: np.ndarray) -> float:
    """Return the loss of a batch from the sums of its report."""
    return float(sums[:-1].sum())


class GradientAccumulator:
    """Sets the gradients of a model to those of the mean loss over a whole global batch.

    The loss is Σ wᵢ·CEᵢ ÷ Σ wᵢ over the global batch, with CEᵢ the mean over the windows of text i; with several labels
    per text, i counts all pairs of a text and a class, and CEᵢ is binary. Each window's cross-entropy is weighted by
    its share of the whole batch, so neither the micro-batches nor a smaller last batch change the result. The batch is
    partitioned into gradient groups, and a rank computes whole groups.

    Args:
        mode: how the groups' gradients are added.
        seed: of the run; with step and micro-batch it seeds dropout.
        scaler: scales the loss if the precision needs it.
    """

    def __init__(
        self,
        device: torch.device,
        mode: GradientMode,
        *,
        seed: int,
        scaler: torch.amp.GradScaler,
        distributed: DistributedContext,
    ) -> None:
        self._device = device
        self.mode = mode
        self._seed = seed
        self._scaler = scaler
        self._distributed = distributed
        self._sync_timer = SyncTimer(device, distributed.size)

    def accumulate(self, step: int, planned: Callable[[int], BatchPlan], token_budget: int) -> BatchReport:
        """Compute the gradient of one global batch.

        If a GPU runs out of memory, all ranks repeat the batch with half the token budget: the micro-batches change,
        the gradient does not.

        Args:
            step: optimizer step of the run.
            planned: returns the batch for a token budget.
            token_budget: maximum number of tokens in a micro-batch, padding included.
        Raises:
            PlatformError: when a single window does not fit into the GPU's memory.
        """
        data_timer = WorkTimer()
        while True:
            with data_timer:
                plan = planned(token_budget)
            losses = self._compute(plan, step, data_timer)
            if losses is not None:
                break
            plan.forward.model.zero_grad(set_to_none=True)
            self._free_memory()
            token_budget = _halved(token_budget, max(plan.costs), plan.longest)
        with self._sync_timer:
            gradient = self.mode.finish()
        sync_seconds = self._sync_timer.take()
        sums = self._summed(losses, sync_seconds)
        return BatchReport(
            sums=sums,
            gradient=gradient,
            examples=plan.examples,
            tokens=plan.tokens,
            padded_tokens=sum(plan.costs),
            token_budget=plan.token_budget,
            data_seconds=data_timer.seconds,
            sync_seconds=sync_seconds,
        )

    def _compute(self, plan: BatchPlan, step: int, data_timer: WorkTimer) -> torch.Tensor | None:
        """Compute this rank's groups; return their losses, or None if any rank ran out of memory."""
        if not plan.forward.model.training:
            plan.forward.model.train()
        losses = torch.zeros(len(plan.gradient_groups), dtype=torch.float64, device=self._device)
        self.mode.begin_batch(len(losses))
        for group in plan.own_groups():
            loss = self._compute_group(plan, step, group, data_timer)
            if self._any_failed(loss is None) or loss is None:
                return None
            losses[group : group + 1] = loss  # an empty slice beyond the last group
            with self._sync_timer:
                self.mode.exchange()
        return losses

    def _compute_group(
        self, plan: BatchPlan, step: int, group: int, data_timer: WorkTimer
    ) -> torch.Tensor | None:
        """Compute a gradient group and hand over its gradient; return its loss, or None if memory ran out.

        Args:
            group: its number; beyond the last one there is nothing to compute.
        """
        self.mode.begin_group()
        try:
            loss = self._compute_micro_batches(plan, step, group, data_timer)
        except torch.OutOfMemoryError:
            loss = None
        with self._sync_timer:
            return loss if self._handed_over(is_sound=loss is not None) else None

    def _handed_over(self, *, is_sound: bool) -> bool:
        """Hand over the gradient of a group, or say that there is none; return whether memory sufficed."""
        try:
            self.mode.end_group(is_sound=is_sound)
        except torch.OutOfMemoryError:
            return False
        return is_sound

    def _compute_micro_batches(
        self, plan: BatchPlan, step: int, group: int, data_timer: WorkTimer
    ) -> torch.Tensor:
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        numbers = plan.micro_batches_of(group)
        for number in numbers:
            torch.manual_seed(derive_seed(self._seed, "dropout", step, number))
            with data_timer:
                micro_batch = plan.fetch(number)
            is_last = number == numbers[-1]
            self.mode.begin_micro_batch(is_last=is_last)
            loss += self._backward(plan.forward.compute(micro_batch.inputs), micro_batch)
            self.mode.end_micro_batch(is_last=is_last)
        return loss

    def _backward(self, logits: torch.Tensor, micro_batch: MicroBatch) -> torch.Tensor:
        """Add the gradient of one micro-batch; return its share of the loss."""
        loss = (cross_entropies(logits, micro_batch.targets) * micro_batch.shares).sum()
        self._scaler.scale(loss).backward()
        return loss.detach().double()

    def _free_memory(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _any_failed(self, has_failed: bool) -> bool:
        """Wait for all ranks; say whether any of them ran out of memory."""
        with self._sync_timer.on_host():
            return bool(self._distributed.all_reduce_max(int(has_failed)))

    def _summed(self, losses: torch.Tensor, sync_seconds: float) -> torch.Tensor:
        """Return the losses of all groups and the sum of all ranks' seconds, in one message."""
        seconds = torch.full((1,), sync_seconds, dtype=losses.dtype, device=losses.device)
        sums = torch.cat([losses, seconds])
        if self._distributed.size > 1:
            self._distributed.wait(self._distributed.start_sum(sums))
        return sums


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
