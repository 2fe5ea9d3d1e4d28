"""Plan a global batch: its micro-batches, their groups, and the inputs that a rank moves to its device."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.micro_batches import partition
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.modeling.forward import Forward, Inputs
from bert_classifier.modeling.transfer import Staged, stage
from bert_classifier.training.batching import Split
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.token_budget import plan_batch

# A larger batch goes to the GPU in several copies, to bound page-locked memory: 20 MB each.
_TOKENS_PER_COPY = 2**20


@dataclasses.dataclass(frozen=True)
class Batch:
    """The w windows of a global batch.

    Attributes:
        windows: indices into the split's windows, int64 (w,).
        lengths: in tokens, int64 (w,).
        targets: of each window's text: its class index, int64 (w,), or with several labels per text for each class 1
            or 0, float32 (w, classes).
        shares: weight of each cross-entropy in the loss, float32, of the same shape; they sum to 1.
        examples: number of texts.
    """

    windows: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    shares: np.ndarray
    examples: int


@dataclasses.dataclass(frozen=True)
class MicroBatch:
    """What one pass computes, on the device: the model's inputs, and targets and shares of its b windows."""

    inputs: Inputs
    targets: torch.Tensor
    shares: torch.Tensor


class BatchPlan:
    """A global batch divided into micro-batches, which are partitioned into gradient groups.

    Attributes:
        forward: computes the micro-batches.
        token_budget: maximum tokens per micro-batch, padding included.
        costs: tokens of each micro-batch, padding included.
        gradient_groups: the micro-batches of each group, by number.
        examples: number of texts.
        tokens: of all windows, without padding.
        longest: tokens of the longest window.
    """

    def __init__(
        self,
        planner: "BatchPlanner",
        batch: Batch,
        micro_batches: Sequence[np.ndarray],
        token_budget: int,
        num_gradient_groups: int,
    ) -> None:
        self._planner = planner
        self._batch = batch
        self._micro_batches = micro_batches  # as positions in the batch
        self.forward = planner.forward
        self.token_budget = token_budget
        self.examples = batch.examples
        self.tokens, self.longest = int(batch.lengths.sum()), int(batch.lengths.max())
        self.costs = [self.forward.tokens_of(batch.lengths[positions]) for positions in micro_batches]
        self.gradient_groups = partition(self.costs, num_gradient_groups)
        own = [number for group in self.own_groups() for number in self.micro_batches_of(group)]
        self._copies = self._divided(own)
        self._staged: Staged | None = None
        self._on_device: dict[int, MicroBatch] = {}

    def own_groups(self) -> range:
        """Return this rank's gradient groups, one per round of all ranks; the last may be beyond the last group."""
        rank, size = self._planner.distributed.rank, self._planner.distributed.size
        return range(rank, len(self.gradient_groups) + rank, size)

    def micro_batches_of(self, group: int) -> Sequence[int]:
        """Return the micro-batches of a group; none beyond the last group."""
        return self.gradient_groups[group] if group < len(self.gradient_groups) else ()

    def stage(self) -> None:
        """Assemble the inputs of the first copy; may be called in another thread, before `fetch`."""
        if self._copies:
            self._staged = self._assembled(self._copies[0])

    def fetch(self, number: int) -> MicroBatch:
        """Return a micro-batch of this rank, on the device; they are fetched in the order of the groups."""
        if number not in self._on_device:
            numbers = self._copies.pop(0)
            staged, self._staged = self._staged or self._assembled(numbers), None
            moved = staged.to(self.forward.device)
            self._on_device |= {own: _micro_batch(moved, own) for own in numbers}
        return self._on_device.pop(number)

    def _divided(self, own: Sequence[int]) -> list[list[int]]:
        """Divide this rank's micro-batches into those that go to the device together; on a CPU there is no copy."""
        most = _TOKENS_PER_COPY if self.forward.device.type == "cuda" else 0
        copies: list[list[int]] = []
        tokens = 0
        for number in own:
            tokens += self.costs[number]
            if not copies or tokens > most:
                copies.append([])
                tokens = self.costs[number]
            copies[-1].append(number)
        return copies

    def _assembled(self, numbers: Sequence[int]) -> Staged:
        values: dict[str, Any] = {}
        for number in numbers:
            positions, batch = self._micro_batches[number], self._batch
            arrays = self.forward.arrays(self._planner.split.encoded, batch.windows[positions])
            arrays |= {"targets": batch.targets[positions], "shares": batch.shares[positions]}
            values |= {f"{number} {name}": value for name, value in arrays.items()}
        return stage(values, self.forward.device)


def _micro_batch(moved: Mapping[str, Any], number: int) -> MicroBatch:
    prefix = f"{number} "
    inputs = {name.removeprefix(prefix): value for name, value in moved.items() if name.startswith(prefix)}
    return MicroBatch(targets=inputs.pop("targets"), shares=inputs.pop("shares"), inputs=inputs)


@dataclasses.dataclass
class BatchPlanner:
    """Plans batches of a split.

    Attributes:
        forward: computes the micro-batches.
        class_weights: float64 (classes,), or (2, classes); see optimizer.class_weights.
        config: limits the micro-batches.
    """

    forward: Forward
    split: Split
    class_weights: np.ndarray
    config: TrainConfig
    distributed: DistributedContext

    def plan(self, indices: np.ndarray, token_budget: int, num_gradient_groups: int) -> BatchPlan:
        """Plan the batch of these texts.

        Args:
            token_budget: maximum number of tokens in a micro-batch, padding included.
        """
        batch = self._windows_of(indices)
        micro_batches = plan_batch(
            self.config, self.forward, batch.lengths, token_budget, num_gradient_groups
        )
        return BatchPlan(self, batch, micro_batches, token_budget, num_gradient_groups)

    def _windows_of(self, indices: np.ndarray) -> Batch:
        windows, counts = self.split.encoded.windows_of(indices)
        targets = self.split.targets[indices]
        shares = np.repeat(_shares(targets, self.class_weights, counts), counts, axis=0).astype(np.float32)
        lengths = self.split.encoded.lengths[windows]
        if Task.of(targets) is Task.MULTI:
            targets = targets.astype(np.float32)
        return Batch(windows, lengths, np.repeat(targets, counts, axis=0), shares, len(indices))


def _shares(targets: np.ndarray, class_weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the weight of each window's cross-entropies in the loss of a batch of b texts, float64.

    Args:
        targets: int64 (b,), or uint8 (b, classes).
        class_weights: (classes,), or (2, classes).
        counts: windows of each text, int64 (b,).
    Returns:
        of the shape of the targets; times the counts they sum to 1.
    """
    if Task.of(targets) is Task.SINGLE:
        weights = class_weights[targets]
        return np.asarray(weights / counts / weights.sum())
    weights = np.where(targets == 1, class_weights[1], class_weights[0])
    return np.asarray(weights / counts[:, None] / weights.sum())
