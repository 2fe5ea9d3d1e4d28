"""The sum of the ranks' gradients, exchanged in buckets while backward still computes.

What torch's DistributedDataParallel does, except for two things that it cannot do: the sum over micro-batches is
float32 also where weights and gradients are bfloat16, and a rank whose memory runs out in backward still takes part in
every exchange, so that no other rank waits for it and all can repeat the batch.
"""

import functools
import itertools
from collections.abc import Sequence

import torch
import torch.distributed as dist

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.gradient_vector import GradientVector

_BUCKET_BYTES = 25 * 1024 * 1024  # as in DistributedDataParallel: large enough for the links' full speed


class OverlappedSum:
    """Sums a gradient vector over all ranks.

    Each bucket is sent as soon as the gradients in it and in all buckets before it are complete, so all ranks send
    them in the same order.

    Args:
        gradients: this rank's; the sum replaces its values.
    """

    def __init__(
        self, distributed: DistributedContext, gradients: GradientVector, bucket_bytes: int = _BUCKET_BYTES
    ) -> None:
        self._distributed = distributed
        self._gradients = gradients
        self._ends = _bucket_ends(gradients.ends, bucket_bytes // 4)  # numbers of parameters
        self._missing: list[int] = []  # by bucket, gradients that backward has not computed yet
        self._is_armed = False
        self._sent: list[dist.Work] = []
        bucket = 0
        for number, source in enumerate(gradients.sources):
            bucket += number == self._ends[bucket]
            source.register_post_accumulate_grad_hook(functools.partial(self._note, bucket))

    @property
    def num_sent(self) -> int:
        """Number of buckets of this batch that are under way."""
        return len(self._sent)

    def begin(self) -> None:
        """Begin a new batch."""
        self._sent, self._missing = [], [end - begin for begin, end in itertools.pairwise([0, *self._ends])]

    def arm(self) -> None:
        """Send the buckets from now on: the next backward is that of the batch's last micro-batch."""
        self._is_armed = True

    def finish(self, *, is_sound: bool) -> None:
        """Send what backward has not, and wait for the sum; all ranks call this once for every batch.

        On a GPU, it is the GPU that waits.

        Args:
            is_sound: whether this rank has computed its part; if not, the sum is meaningless on all ranks.
        """
        self._is_armed = False
        while len(self._sent) < len(self._ends):
            self._send(is_sound=is_sound)
        for work in self._sent:
            self._distributed.wait(work)

    def _note(self, bucket: int, _parameter: torch.Tensor) -> None:
        """Note that a gradient of a bucket is complete; send the buckets that now can be."""
        if not self._is_armed:
            return
        self._missing[bucket] -= 1
        while len(self._sent) < len(self._ends) and self._missing[len(self._sent)] <= 0:
            self._send()

    def _send(self, *, is_sound: bool = True) -> None:
        bucket = len(self._sent)
        begin, end = (self._ends[bucket - 1] if bucket else 0), self._ends[bucket]
        if is_sound:
            self._gradients.add_range(begin, end)
        self._sent.append(self._distributed.start_sum(self._gradients.slice(begin, end)))


def _bucket_ends(ends: Sequence[int], most_weights: int) -> list[int]:
    """Return the number of the parameter at which each bucket ends, the first one of a tenth of the size.

    The first bucket is smaller, so that the exchange begins early.
    """
    found: list[int] = []
    begin, limit = 0, most_weights // 10
    for number, end in enumerate(ends):
        if end - begin >= limit or number == len(ends) - 1:
            found.append(number + 1)
            begin, limit = end, most_weights
    return found
