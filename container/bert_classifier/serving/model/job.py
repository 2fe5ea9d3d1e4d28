"""A request that waits for the model, and the parts of it that passes take."""

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import InvalidStateError
from typing import Generic, NamedTuple, TypeVar

from bert_classifier.serving.model.pending import Pending, timeout_error

T = TypeVar("T")


class Job(Generic[T]):
    """A request: its texts, how many of them passes have taken, and the future of its results."""

    def __init__(self, texts: Sequence[str], costs: Sequence[int], deadline: float) -> None:
        self.texts = texts
        self.costs = costs
        self.deadline = deadline
        self.taken = 0
        self.waiting_cost = sum(costs)  # of texts not taken by a pass yet
        self.future: Pending[T] = Pending()
        self._results: dict[int, list[T | Exception]] = {}
        self._missing = len(texts)
        self._lock = threading.Lock()

    def is_over(self) -> bool:
        """Return whether this job is done, cancelled or past its deadline."""
        if not self.future.done() and time.monotonic() >= self.deadline:
            self.fail(timeout_error())
        return self.future.done()

    def take(self, share: int) -> "Chunk[T]":
        """Take the next texts, at least one, with a total cost within `share`."""
        start, cost = self.taken, 0
        while self.taken < len(self.texts):
            cost += self.costs[self.taken]
            if cost > share and self.taken > start:
                break
            self.waiting_cost -= self.costs[self.taken]
            self.taken += 1
        stop = self.taken
        return Chunk(self, start, self.texts[start:stop], sum(self.costs[start:stop]))

    def put(self, start: int, results: list[T | Exception]) -> None:
        """Add the results of a chunk; chunks may finish in any order."""
        with self._lock:
            self._results[start] = results
            self._missing -= len(results)
            is_complete = not self._missing
        if is_complete:
            self._finish([result for start in sorted(self._results) for result in self._results[start]])

    def _finish(self, results: list[T | Exception]) -> None:
        if all(isinstance(result, Exception) for result in results):
            self.fail(next(result for result in results if isinstance(result, Exception)))
            return
        with contextlib.suppress(InvalidStateError):  # cancelled just now
            self.future.set_result(results)

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless there is an answer."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class Chunk(NamedTuple, Generic[T]):
    """The texts of a job, from index `start` on, that one pass takes."""

    job: Job[T]
    start: int
    texts: Sequence[str]
    cost: int
