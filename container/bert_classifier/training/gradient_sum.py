"""The sum of the groups' gradients: added in the order of their numbers as they come, in constant memory."""

from collections.abc import Iterator, Sequence

import torch

from bert_classifier.training.distributed import DistributedContext


class GradientSum:
    """Adds gradients up in waves: in wave w, rank r brings that of gradient group w · ranks + r.

    Within a wave each rank receives its chunk of every gradient and adds it to its chunk of the sum; at the end the
    chunks are shared. The order of addition, and with it every bit, is the same on any number of ranks, and a rank
    holds one gradient and one sum, however many groups there are.

    Args:
        parameters: those that learn; their gradients are taken, and freed.
        num_gradient_groups: of all waves; in the last, ranks may have none left.
    """

    def __init__(
        self,
        distributed: DistributedContext,
        parameters: Sequence[torch.nn.Parameter],
        num_gradient_groups: int,
    ) -> None:
        self._distributed = distributed
        self._parameters = parameters
        self._num_gradient_groups = num_gradient_groups
        self._groups_added = 0
        self._taken: torch.Tensor | None = None  # this rank's gradient of the wave, one vector
        self._total: torch.Tensor | None = None  # this rank's chunk of the sum

    def take(self) -> None:
        """Take the parameters' gradients, those of this rank's next group; none anywhere is a gradient of zeros."""
        if self._distributed.size == 1 and self._total is not None:
            for parameter, part in self.parts_of(self._total):
                part.add_(0 if parameter.grad is None else parameter.grad)
        else:
            self._taken = self._flattened()
        for parameter in self._parameters:
            parameter.grad = None

    def add_round(self) -> None:
        """Add what the ranks have taken, in the order of the gradient groups; all ranks call this after `take`."""
        count = min(self._distributed.size, self._num_gradient_groups - self._groups_added)
        self._groups_added += count
        if self._taken is None:
            return
        received = self._distributed.all_to_all_chunks(self._taken)
        self._taken = None
        for part in received[:count]:  # the other ranks had no gradient group left
            if self._total is None:
                self._total = part.clone() if self._distributed.size > 1 else part
            else:
                self._total += part

    def whole(self) -> torch.Tensor:
        """Return the sum over all gradient groups, one vector, on every rank."""
        assert self._total is not None
        return self._distributed.all_gather_chunks(self._total)

    def parts_of(self, flat: torch.Tensor) -> Iterator[tuple[torch.nn.Parameter, torch.Tensor]]:
        """Yield each parameter with its part of a vector of all."""
        offset = 0
        for parameter in self._parameters:
            yield parameter, flat[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()

    def _flattened(self) -> torch.Tensor:
        """Return all gradients as one vector, as long as a multiple of the number of ranks."""
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        length = sum(part.numel() for part in parts)
        parts.append(parts[0].new_zeros(-length % self._distributed.size))
        return torch.cat([part.reshape(-1) for part in parts])
