"""How the gradients of a batch become one: in a fixed order (reproducible), or overlapped with computing.

Both leave the gradient of the mean loss over the whole batch in the parameters that the optimizer updates.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_sum import GradientSum
from bert_classifier.training.gradient_vector import GradientVector
from bert_classifier.training.optimizer import densify_gradients
from bert_classifier.training.overlapped_sum import OverlappedSum

Parameters = Sequence[torch.nn.Parameter]


class GradientMode(Protocol):
    """What the accumulation of a batch calls, in this order; all ranks do."""

    def begin_batch(self, num_gradient_groups: int) -> None:
        """Forget an earlier batch, also one that failed."""

    def begin_group(self) -> None:
        """Begin one of this rank's groups."""

    def begin_micro_batch(self, *, is_last: bool) -> None:
        """Prepare for the backward pass of a micro-batch, the group's last or not."""

    def end_micro_batch(self, *, is_last: bool) -> None:
        """Take the gradients of a micro-batch."""

    def end_group(self, *, is_sound: bool) -> None:
        """Take the gradients of a group, unless this rank's memory ran out."""

    def exchange(self) -> None:
        """Add the ranks' groups of this round, if none of them failed."""

    def finish(self) -> torch.Tensor | None:
        """Give the sum to the parameters; return it as one vector where it is one."""


class OrderedGradients:
    """Adds the gradients of the groups in the order of their numbers: the same bits on any number of ranks.

    Args:
        sources: the parameters that backward computes gradients of.
        targets: those that the optimizer updates, in the same order; the same ones unless sources are of low precision.
    """

    def __init__(self, distributed: DistributedContext, sources: Parameters, targets: Parameters) -> None:
        self._distributed = distributed
        self._sources = sources
        self._vector = None if sources is targets else GradientVector(sources, targets)
        self._parameters = targets if self._vector is None else self._vector.targets
        self._used = np.zeros(len(sources), dtype=np.int64)  # > 0 where backward leaves a gradient
        self._knows_used = False

    def begin_batch(self, num_gradient_groups: int) -> None:
        """See GradientMode."""
        self._sum = GradientSum(self._distributed, self._parameters, num_gradient_groups)
        self._is_shared = num_gradient_groups > 1 or self._distributed.size > 1

    def begin_group(self) -> None:
        """See GradientMode."""
        for parameter in self._sources:
            parameter.grad = None
        if self._vector is not None:
            self._vector.clear()

    def begin_micro_batch(self, *, is_last: bool) -> None:
        """See GradientMode."""

    def end_micro_batch(self, *, is_last: bool) -> None:
        """See GradientMode."""
        if self._vector is not None:
            self._vector.add()

    def end_group(self, *, is_sound: bool) -> None:
        """See GradientMode."""
        if not is_sound:
            return
        if self._vector is None:
            densify_gradients(self._sources)
        if self._is_shared:
            if not self._knows_used:
                self._used |= self._used_here()
            self._sum.take(None if self._vector is None else self._vector.group_values())

    def exchange(self) -> None:
        """See GradientMode."""
        if self._is_shared:
            self._sum.add_round()

    def finish(self) -> torch.Tensor | None:
        """See GradientMode."""
        if not self._is_shared:
            return None if self._vector is None else self._vector.give(self._vector.used)
        if not self._knows_used:
            self._distributed.all_reduce_sum(self._used)
            self._knows_used = True
        total = self._sum.total()
        for (parameter, part), is_used in zip(self._sum.views_of(total), self._used, strict=True):
            parameter.grad = part if is_used else None
        # Without the padding, whose length depends on the number of ranks, and with it the bits of a norm.
        return None if self._vector is None else total[: self._vector.values.numel()]

    def _used_here(self) -> np.ndarray:
        if self._vector is not None:
            return self._vector.used
        return np.array([p.grad is not None for p in self._sources], dtype=np.int64)


class OverlappedGradients:
    """Sums the ranks' gradients bucket by bucket, while backward computes the last micro-batch. One group per rank.

    Args:
        sources, targets: see OrderedGradients.
    """

    def __init__(self, distributed: DistributedContext, sources: Parameters, targets: Parameters) -> None:
        self._distributed = distributed
        self._vector = GradientVector(sources, targets)
        self._sum = OverlappedSum(distributed, self._vector)
        self._used: np.ndarray | None = None  # agreed among the ranks

    def begin_batch(self, num_gradient_groups: int) -> None:
        """See GradientMode."""
        assert num_gradient_groups == self._distributed.size, "each rank has one group"

    def begin_group(self) -> None:
        """See GradientMode."""
        self._vector.clear()
        self._sum.begin()

    def begin_micro_batch(self, *, is_last: bool) -> None:
        """See GradientMode."""
        if is_last:
            self._sum.arm()

    def end_micro_batch(self, *, is_last: bool) -> None:
        """See GradientMode."""
        if not is_last:
            self._vector.add()

    def end_group(self, *, is_sound: bool) -> None:
        """See GradientMode."""
        try:
            self._sum.finish(is_sound=is_sound)
        except torch.OutOfMemoryError:
            self._sum.finish(is_sound=False)  # what is not sent yet: all ranks make the same calls
            raise

    def exchange(self) -> None:
        """See GradientMode."""

    def finish(self) -> torch.Tensor | None:
        """See GradientMode."""
        if self._used is None:
            self._used = self._vector.used.copy()
            self._distributed.all_reduce_sum(self._used)
        return self._vector.give(self._used)


def gradient_mode(
    distributed: DistributedContext, sources: Parameters, targets: Parameters, *, is_reproducible: bool
) -> GradientMode:
    """Return the mode of a run; on one rank there is nothing to overlap."""
    if is_reproducible or distributed.size == 1:
        return OrderedGradients(distributed, sources, targets)
    return OverlappedGradients(distributed, sources, targets)
