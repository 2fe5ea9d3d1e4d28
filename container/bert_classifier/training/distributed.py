"""The ranks of a job and what they tell each other; a job of one rank takes the same path and says nothing.

A rank is one process, with a GPU of its own where there are GPUs. Everything that decides how the run goes on is
either computed alike on all ranks or told by one of these calls, which all ranks make in the same order.
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

from bert_classifier.training.failures import PeerLostError, is_shortage
from bert_classifier.training.signals import Stopped, StopSignal, signal_name

_SOURCE = re.compile(r"^\[[^\]]*\] ")  # where in the library's source an error was raised
# How the libraries speak of a rank that does not answer, and of one whose connection has gone.
_SILENCE = ("timed out", "timeout")
_END = (
    "closed",
    "reset by peer",
    "broken pipe",
    "refused",
    "got 0 bytes",
    "remote process exited",
    "ncclremoteerror",
)
JOIN_SECONDS = 900  # for hosts to start, load the model and, at the end, wait for the first rank's export


class DistributedContext:
    """The ranks of a job, seen from one of them.

    Args:
        rank: this process' number among `size`.
        local_rank: its number on its host, among `local_size`; that of its GPU.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self._peers: dist.ProcessGroup | None = None  # for training: short timeout

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that saves, logs and exports."""
        return self.rank == 0

    def join(self, timeout_seconds: float) -> None:
        """Meet the other ranks at MASTER_ADDR:MASTER_PORT.

        Args:
            timeout_seconds: without an answer, after which a rank counts as lost once training has begun.
        Raises:
            PeerLostError: when not all have come within JOIN_SECONDS.
        """
        if self.size == 1:
            return
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with _peer_errors():
            dist.init_process_group(
                backend, rank=self.rank, world_size=self.size, timeout=timedelta(seconds=JOIN_SECONDS)
            )
            self._peers = dist.new_group(timeout=timedelta(seconds=timeout_seconds))

    def leave(self) -> None:
        """Wait until all ranks are done, so that all hosts end together."""
        if self.size > 1:
            with _peer_errors():
                dist.barrier()

    def all_reduce_max(self, value: int) -> int:
        """Return the largest `value` (≥ 0) of any rank."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.int64)
        with _peer_errors():
            dist.all_reduce(told, op=dist.ReduceOp.MAX, group=self._peers)
        return int(told)

    def check(self, stop: StopSignal) -> None:
        """Go on, or leave on all ranks at once.

        Raises:
            Stopped: when any rank was told to stop.
        """
        number = self.all_reduce_max(stop.number)
        if number:
            raise Stopped(signal_name(number))

    def all_reduce_sum(self, array: np.ndarray) -> None:
        """Add the arrays of all ranks up, in place; exact where at most one rank has other than zero."""
        if self.size > 1:
            with _peer_errors():
                dist.all_reduce(torch.from_numpy(array), group=self._peers)

    def gather(self, value: Any) -> list[Any]:
        """Return the JSON value of every rank, by rank; waits long, for ranks that are still loading."""
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
        """Give these tensors the content that they have on the first rank, in place."""
        if self.size > 1:
            with _peer_errors():
                for tensor in tensors:
                    dist.broadcast(tensor, src=0)

    def all_to_all_chunks(self, vector: torch.Tensor) -> Sequence[torch.Tensor]:
        """Return this rank's chunk of the vector of each rank, by rank.

        Args:
            vector: of one length on all ranks, which `self.size` divides.
        """
        if self.size == 1:
            return [vector]
        received = torch.empty_like(vector)
        with _peer_errors():
            dist.all_to_all_single(received, vector, group=self._peers)
        return received.chunk(self.size)

    def all_gather_chunks(self, part: torch.Tensor) -> torch.Tensor:
        """Return the vector of which each rank has its chunk."""
        if self.size == 1:
            return part
        whole = part.new_empty(self.size * part.numel())
        with _peer_errors():
            dist.all_gather_single(whole, part, group=self._peers)
        return whole


@contextlib.contextmanager
def _peer_errors() -> Iterator[None]:
    """Tell a failure between ranks from one of this rank's own; only calls to other ranks stand inside."""
    try:
        yield
    except RuntimeError as error:
        if is_shortage(error):
            raise
        words = _words_of(error)
        is_timeout = any(sign in words.lower() for sign in _SILENCE)
        what = (
            "another rank gave no answer in time"
            if is_timeout
            else "another rank has ended"
            if any(sign in words.lower() for sign in _END)
            else "an exchange with them failed"
        )
        raise PeerLostError(
            f"Contact with the other processes of the job is lost: {what} ({words}).",
            "Look for the first failure in the logs of all hosts; a restarted job resumes from its last checkpoint.",
            is_timeout=is_timeout,
        ) from error


def _words_of(error: RuntimeError) -> str:
    """Return what a library says of a failed call in a few words: its first sentence, and NCCL's last error."""
    text = _SOURCE.sub("", str(error))
    first = text.splitlines()[0].split(". ")[0] if text else type(error).__name__
    _, _, last = text.partition("Last error:\n")
    return ": ".join(filter(None, (first[:200], last.strip().split("\n")[0][:200])))
