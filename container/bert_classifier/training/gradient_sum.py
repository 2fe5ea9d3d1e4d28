"""The sum of the gradient groups, added in their order, in constant memory."""

from collections.abc import Iterator, Sequence

import torch

from bert_classifier.training.distributed import DistributedContext

_ALIGNMENT = 32  # numbers; NCCL and vectorised kernels are slower on chunks that begin anywhere


class GradientSum:
    """An ordered all-reduce in rounds: in round n, rank r contributes gradient group n · ranks + r.

    In each round a rank receives its chunk of every gradient and adds it to its chunk of the sum; at the end all ranks
    gather the chunks. The order of addition, and so every bit, is the same on any number of ranks. A rank holds one
    gradient and one sum, however many groups there are.

    Args:
        parameters: the trainable ones; their gradients are taken and freed.
        num_gradient_groups: total over all rounds; in the last round, some ranks may have none.
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
        self._taken: torch.Tensor | None = None  # this rank's gradient of the round, one vector
        self._sum: torch.Tensor | None = None  # this rank's chunk

    def take(self, values: torch.Tensor | None = None) -> None:
        """Take the gradient of this rank's next group.

        Args:
            values: of all parameters, float32 (weights,); by default, the gradients are moved out of the parameters,
                and a missing one counts as zeros.
        """
        if self._distributed.size > 1 or self._sum is None:
            self._taken = self._padded(self._gradients() if values is None else [values])
        elif values is None:
            for parameter, part in self.views_of(self._sum):
                part.add_(0 if parameter.grad is None else parameter.grad)
        else:
            self._sum += values
        for parameter in self._parameters:
            parameter.grad = None

    def add_round(self) -> None:
        """Add the ranks' gradients in the order of their groups; all ranks call this after `take`."""
        count = min(self._distributed.size, self._num_gradient_groups - self._groups_added)
        self._groups_added += count
        if self._taken is None:
            return
        received = self._distributed.all_to_all_chunks(self._taken)
        self._taken = None
        for part in received[:count]:  # the other ranks had no group
            if self._sum is None:
                self._sum = part.clone() if self._distributed.size > 1 else part
            else:
                self._sum += part

    def total(self) -> torch.Tensor:
        """Return the sum over all gradient groups, one vector with padding at its end, on every rank."""
        assert self._sum is not None
        return self._distributed.all_gather_chunks(self._sum)

    def views_of(self, flat: torch.Tensor) -> Iterator[tuple[torch.nn.Parameter, torch.Tensor]]:
        """Yield each parameter with its view of a vector that holds all of them."""
        offset = 0
        for parameter in self._parameters:
            yield parameter, flat[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()

    def _gradients(self) -> list[torch.Tensor]:
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]

    def _padded(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return a copy of the parts as one vector, padded so that the ranks' chunks are alike and well aligned."""
        length = sum(part.numel() for part in parts)
        multiple = 1 if self._distributed.size == 1 else _ALIGNMENT * self._distributed.size
        padding = parts[0].new_zeros(-length % multiple)
        return torch.cat([part.reshape(-1) for part in (*parts, padding)])
