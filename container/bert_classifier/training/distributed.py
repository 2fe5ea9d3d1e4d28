"""Communication between the ranks of a job; with one rank, every call returns at once.

A rank is one process, with its own GPU where there are GPUs. Every decision about the run is computed
identically on all ranks or exchanged by one of these calls, which all ranks make in the same order.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from bert_classifier.training.failures import PeerLostError, is_out_of_memory
from bert_classifier.training.signals import Stopped, StopSignal, signal_name

_SOURCE = re.compile(r"^\[[^\]]*\] ")  # file and line in the library's source
# Words in the libraries' messages if a rank does not respond, and if its connection is gone.
_TIMEOUT_WORDS = ("timed out", "timeout")
_END_WORDS = (
    "closed", "reset by peer", "broken pipe", "refused", "got 0 bytes", "remote process exited", "ncclremoteerror",
)  # fmt: skip
# torch 2.13 deprecates all_gather_into_tensor in favour of a name that 2.11 lacks.
_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
JOIN_SECONDS = 900  # for hosts to start, load the model and, at the end, wait for the first rank's export


class DistributedContext:
    """The ranks of a job, seen from one of them.

    Args:
        rank: index of this process among `size`.
        local_rank: its index among the `local_size` on its host; also the index of its GPU.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self._group: dist.ProcessGroup | None = None  # for training, with a short timeout

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that saves, logs and exports."""
        return self.rank == 0

    def join(self, timeout_seconds: float) -> None:
        """Meet the other ranks at MASTER_ADDR:MASTER_PORT.

        Args:
            timeout_seconds: time after which a silent rank counts as lost, once training has begun.
        Raises:
            PeerLostError: when not all have joined within JOIN_SECONDS.
        """
        if self.size == 1:
            return
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with _peer_errors():
            dist.init_process_group(
                backend, rank=self.rank, world_size=self.size, timeout=timedelta(seconds=JOIN_SECONDS)
            )
            self._group = dist.new_group(timeout=timedelta(seconds=timeout_seconds))

    def connect(self, device: torch.device) -> None:
        """Open the connections between the ranks' GPUs, once all ranks are here.

        At the first exchange instead, this would take memory that was counted as free, and a rank that fails before it
        would leave the others waiting for ever.
        """
        if self.size > 1 and device.type == "cuda":
            with _peer_errors():
                dist.barrier()
                dist.all_reduce(torch.zeros(1, device=device), group=self._group)

    def leave(self) -> None:
        """Wait until all ranks are done, so that all hosts exit together."""
        if self.size > 1:
            with _peer_errors():
                dist.barrier()

    def all_reduce_max(self, value: int) -> int:
        """Return the largest `value` (≥ 0) of any rank."""
        if self.size == 1:
            return value
        largest = torch.tensor([value], dtype=torch.int64)
        with _peer_errors():
            dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=self._group)
        return int(largest)

    def check(self, stop: StopSignal) -> None:
        """Stop on all ranks if any rank has received a stop signal.

        Raises:
            Stopped: on all ranks.
        """
        number = self.all_reduce_max(stop.number)
        if number:
            raise Stopped(signal_name(number))

    def all_reduce_sum(self, array: np.ndarray) -> None:
        """Sum the arrays of all ranks, in place; exact where at most one rank has a non-zero value."""
        if self.size > 1:
            with _peer_errors():
                dist.all_reduce(torch.from_numpy(array), group=self._group)

    def start_sum(self, tensor: torch.Tensor) -> dist.Work:
        """Begin to sum a tensor over all ranks, in place; `wait` completes it."""
        with _peer_errors():
            work: dist.Work = dist.all_reduce(tensor, group=self._group, async_op=True)
        return work

    def wait(self, work: dist.Work) -> None:
        """Let the tensor's device wait for a sum; on a CPU, this returns when it is done."""
        with _peer_errors():
            work.wait()

    def all_gather_json(self, value: Any) -> list[Any]:
        """Return the JSON value of every rank, by rank. Waits up to JOIN_SECONDS for ranks that are still loading."""
        if self.size == 1:
            return [value]
        text = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)
        sizes = np.zeros(self.size, dtype=np.int64)
        sizes[self.rank] = len(text)
        with _peer_errors():
            dist.all_reduce(torch.from_numpy(sizes))
            padded = np.zeros((self.size, int(sizes.max())), dtype=np.uint8)
            padded[self.rank, : len(text)] = text
            dist.all_reduce(torch.from_numpy(padded))
        return [json.loads(row[:size].tobytes()) for row, size in zip(padded, sizes, strict=True)]

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Overwrite these tensors with those of the first rank, for which the others wait up to JOIN_SECONDS."""
        if self.size > 1:
            with _peer_errors():
                dist.barrier()
                for tensor in tensors:
                    dist.broadcast(tensor, src=0, group=self._group)

    def all_to_all_chunks(self, vector: torch.Tensor) -> Sequence[torch.Tensor]:
        """Split each rank's vector into one chunk per rank; return the chunks of this rank's number, by source rank.

        Args:
            vector: of the same length on all ranks, a multiple of `size`.
        """
        if self.size == 1:
            return [vector]
        received = torch.empty_like(vector)
        with _peer_errors():
            dist.all_to_all_single(received, vector, group=self._group)
        return received.chunk(self.size)

    def all_gather_chunks(self, chunk: torch.Tensor) -> torch.Tensor:
        """Return the vector of which each rank holds one chunk."""
        if self.size == 1:
            return chunk
        whole = chunk.new_empty(self.size * chunk.numel())
        with _peer_errors():
            _all_gather(whole, chunk, group=self._group)
        return whole


@contextlib.contextmanager
def _peer_errors() -> Iterator[None]:
    """Raise PeerLostError for a failed exchange between ranks; a failure of this rank's own GPU or memory stays one."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error) or "CUDA error" in str(error):  # the GPU's own failure, noticed here
            raise
        words = _words_of(error)
        is_timeout = any(sign in words.lower() for sign in _TIMEOUT_WORDS)
        has_ended = any(sign in words.lower() for sign in _END_WORDS)
        what = (
            "another process did not respond in time"
            if is_timeout
            else "another process has ended"
            if has_ended
            else "a collective call failed"
        )
        raise PeerLostError(
            f"Contact with the other processes of the job is lost: {what} ({words}).",
            "Look for the first failure in the logs of all hosts; a restarted job resumes from its last checkpoint.",
            is_timeout=is_timeout,
        ) from error


def _words_of(error: RuntimeError) -> str:
    """Return the first sentence of a library's message, and NCCL's last error."""
    text = _SOURCE.sub("", str(error))
    first = text.splitlines()[0].split(". ")[0] if text else type(error).__name__
    _, _, last = text.partition("Last error:\n")
    return ": ".join(filter(None, (first[:200], last.strip().split("\n")[0][:200])))
