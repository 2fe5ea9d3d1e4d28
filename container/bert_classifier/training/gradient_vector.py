"""The gradient of all trained weights as one float32 vector, summed over the micro-batches of a batch."""

from collections.abc import Sequence

import numpy as np
import torch


class GradientVector:
    """Takes the gradients that backward leaves, and adds those of each micro-batch in float32.

    The gradients of the last layers come first, as backward computes them first: those that are complete then lie side
    by side and can be sent in one piece. Those of odd sizes, such as the head's biases, come after all others: kernels
    read what is aligned four numbers at a time.

    Args:
        sources: the parameters that backward computes gradients of, in any precision.
        targets: the float32 parameters that the optimizer updates, in the same order; may be the same ones.
    Attributes:
        values: float32 (weights,).
        sources, targets: the parameters in this order.
        used: which parameters backward has ever reached here, by their number in this order; int64 (parameters,).
    """

    def __init__(self, sources: Sequence[torch.nn.Parameter], targets: Sequence[torch.nn.Parameter]) -> None:
        pairs = list(zip(sources, targets, strict=True))[::-1]
        pairs.sort(key=lambda pair: pair[0].numel() % 4 > 0)
        self.sources, self.targets = [source for source, _ in pairs], [target for _, target in pairs]
        sizes = [parameter.numel() for parameter in self.targets]
        self.ends = torch.tensor(sizes).cumsum(0).tolist()
        self.values = torch.empty(sum(sizes), dtype=torch.float32, device=targets[0].device)
        self._views = self._views_of(self.values)
        self._incoming: list[torch.Tensor] | None = None  # of a second micro-batch, before they are added
        self._micro_batches = 0
        self.used = np.zeros(len(self.sources), dtype=np.int64)

    def clear(self) -> None:
        """Begin a new batch."""
        self._micro_batches = 0
        for source in self.sources:
            source.grad = None

    def add(self) -> None:
        """Add the gradients of one more micro-batch, and free them."""
        self.add_range(0, len(self.sources))
        self.end_micro_batch()

    def add_range(self, begin: int, end: int) -> None:
        """Add the gradients of some of the parameters only; `end_micro_batch` follows when all are added."""
        present = [number for number in range(begin, end) if self.sources[number].grad is not None]
        gradients = [_dense(self.sources[number]) for number in present]
        if self._micro_batches == 0:
            self._set(present, gradients, begin, end)
        elif gradients:
            self._add(present, gradients)
        self.used[present] = 1
        for number in present:
            self.sources[number].grad = None

    def end_micro_batch(self) -> None:
        """Note that all gradients of a micro-batch are added."""
        self._micro_batches += 1

    def slice(self, begin: int, end: int) -> torch.Tensor:
        """Return the values of the parameters from number `begin` up to `end`."""
        return self.values[self.ends[begin - 1] if begin else 0 : self.ends[end - 1]]

    def group_values(self) -> torch.Tensor:
        """Return the values; zeros if there was no micro-batch."""
        return self.values if self._micro_batches else self.values.zero_()

    def give(self, used: np.ndarray) -> torch.Tensor:
        """Make the sum the targets' gradients and return it; parameters that backward never reaches get none.

        Args:
            used: which ones it reaches, in this order; int64 (parameters,).
        """
        for target, view, is_used in zip(self.targets, self._views, used, strict=True):
            target.grad = view if is_used else None
        return self.values

    def _set(self, present: Sequence[int], gradients: list[torch.Tensor], begin: int, end: int) -> None:
        """Overwrite the values of an earlier batch; missing gradients are zeros."""
        if gradients:
            torch._foreach_copy_([self._views[number] for number in present], gradients)
        missing = set(range(begin, end)).difference(present)
        if missing:
            torch._foreach_zero_([self._views[number] for number in sorted(missing)])

    def _add(self, present: Sequence[int], gradients: list[torch.Tensor]) -> None:
        views = [self._views[number] for number in present]
        if gradients[0].dtype == torch.float32:
            torch._foreach_add_(views, gradients)
            return
        # Conversion and sum for lists of different types would be one kernel per parameter.
        if self._incoming is None:
            self._incoming = self._views_of(torch.empty_like(self.values))
        incoming = [self._incoming[number] for number in present]
        torch._foreach_copy_(incoming, gradients)
        torch._foreach_add_(views, incoming)

    def _views_of(self, values: torch.Tensor) -> list[torch.Tensor]:
        parts = values.split([parameter.numel() for parameter in self.targets])
        return [part.view_as(parameter) for part, parameter in zip(parts, self.targets, strict=True)]


def _dense(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
