"""Seconds that a step spends on its data and on waiting for other ranks, measured without making a GPU wait."""

import collections
import contextlib
import time
from collections.abc import Iterator
from types import TracebackType

import torch


class WorkTimer:
    """Adds up the time within its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += time.monotonic() - self._began

    def take(self) -> float:
        """Return the seconds since the last call."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class SyncTimer:
    """Adds up the time that a device spends within its `with` blocks, exchanges with other ranks.

    On a GPU, an exchange is a piece of its queue, which the host only fills: events mark where it begins and ends, and
    its time is known once the GPU has passed them.

    Args:
        ranks: with a single one, a GPU waits for nobody.
    """

    def __init__(self, device: torch.device, ranks: int) -> None:
        self._is_gpu = device.type == "cuda"
        self._is_marked = self._is_gpu and ranks > 1
        self._host = WorkTimer()
        self._began: torch.cuda.Event | None = None
        self._marks: collections.deque[tuple[torch.cuda.Event, torch.cuda.Event]] = collections.deque()

    def __enter__(self) -> None:
        if self._is_marked:
            self._began = _mark()
        elif not self._is_gpu:
            self._host.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_marked and self._began is not None:
            self._marks.append((self._began, _mark()))
        elif not self._is_gpu:
            self._host.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def on_host(self) -> Iterator[None]:
        """Measure an exchange between hosts; on a GPU it does not count, since the GPU computes meanwhile."""
        if self._is_gpu:
            yield
            return
        with self._host:
            yield

    def take(self) -> float:
        """Return the seconds known since the last call."""
        seconds = self._host.take()
        while self._marks and self._marks[0][1].query():
            began, ended = self._marks.popleft()
            seconds += began.elapsed_time(ended) / 1e3
        return seconds


def _mark() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
