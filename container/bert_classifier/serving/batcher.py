"""Micro-batching: one thread that predicts for several requests at once, and never lets one spoil another."""

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Generic, TypeVar

from bert_classifier.errors import RequestError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _Job(Generic[T]):
    """One request: its texts, the results so far, and the future that its sender waits on."""

    def __init__(self, texts: Sequence[str], deadline: float) -> None:
        self.texts = texts
        self.deadline = deadline
        self.results: list[T] = []
        self.future: Future[list[T]] = Future()

    def is_over(self) -> bool:
        """Say whether nobody needs (more of) this job: done, cancelled by its sender, or too late."""
        if not self.future.done() and time.monotonic() >= self.deadline:
            self.fail(timeout_error())
        return self.future.done()

    def add(self, results: Sequence[T]) -> None:
        self.results += results
        if len(self.results) == len(self.texts):
            with contextlib.suppress(InvalidStateError):  # cancelled in this moment
                self.future.set_result(self.results)

    def fail(self, error: Exception) -> None:
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclasses.dataclass(frozen=True)
class _Slice(Generic[T]):
    """What one pass takes of a job: its next texts."""

    job: _Job[T]
    texts: Sequence[str]


def timeout_error() -> RequestError:
    """Return what a request is told whose time is up."""
    return RequestError(
        504, "timeout", "The answer was not ready in time.", "Send fewer or shorter texts at once."
    )


class MicroBatcher(Generic[T]):
    """Answers requests in passes, each of which takes something of every waiting request.

    There is no timer: a lone request is predicted at once, and while a pass runs the next ones gather. A pass
    is bounded, so that a request with thousands of texts does not hold up its neighbours: it gets its share.

    Args:
        predict: one result for each text, in order. Called from one thread only.
        cost_of: what a text adds to a pass, such as its tokens.
        max_cost: of a pass; one text of each request is always taken.
        max_waiting: requests at the same time; a further one is refused.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[str]], Sequence[T]],
        *,
        cost_of: Callable[[str], int],
        max_cost: int,
        max_waiting: int,
    ) -> None:
        self._predict = predict
        self._cost_of = cost_of
        self._max_cost = max_cost
        self._max_waiting = max_waiting
        self._waiting: list[_Job[T]] = []
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are taken and answered."""
        return self._thread.is_alive() and not self._is_closed

    def submit(self, texts: Sequence[str], deadline: float) -> "Future[list[T]]":
        """Queue one request and return the future of its results; cancel it when nobody waits any more.

        Args:
            texts: at least one.
            deadline: on time.monotonic's clock; no work is begun for the request after it.
        Raises:
            RequestError: 429 when too many wait, 503 when the batcher has ended. The future may hold 503
                and 504 too, or what `predict` raised for this request alone.
        """
        job: _Job[T] = _Job(texts, deadline)
        with self._changed:
            if not self.is_alive:
                raise _ended_error()
            if len(self._waiting) >= self._max_waiting:
                raise RequestError(
                    429, "overloaded", "Too many requests are waiting.", "Try again in a moment."
                )
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self, timeout: float) -> bool:
        """Take no more requests, answer those that wait, and say whether `timeout` seconds sufficed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while slices := self._next_pass():
                self._answer(slices)
        finally:
            with self._changed:
                if not self._is_closed:
                    logger.critical("the batcher has died: no request can be answered any more")
                self._is_closed = True
                for job in self._waiting:
                    job.fail(_ended_error())

    def _next_pass(self) -> list[_Slice[T]]:
        """Wait for requests and return a slice of each; none once closed and all are answered."""
        with self._changed:
            while True:
                self._waiting = [job for job in self._waiting if not job.is_over()]
                if self._waiting:
                    share = self._max_cost // len(self._waiting)
                    return [self._slice_of(job, share) for job in self._waiting]
                if self._is_closed:
                    return []
                self._changed.wait()

    def _slice_of(self, job: _Job[T], share: int) -> _Slice[T]:
        start = len(job.results)
        stop, cost = start, 0
        while stop < len(job.texts):
            cost += self._cost_of(job.texts[stop])
            if cost > share and stop > start:
                break
            stop += 1
        return _Slice(job, job.texts[start:stop])

    def _answer(self, slices: Sequence[_Slice[T]]) -> None:
        """Predict for all slices together; if that fails, for each alone, so that only the culprit fails."""
        texts = [text for piece in slices for text in piece.texts]
        try:
            results = self._predict(texts)
            if len(results) != len(texts):
                raise RuntimeError(f"{len(results)} results for {len(texts)} texts")
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach the request and not end the thread
            self._answer_apart(slices, error)
            return
        for piece in slices:
            piece.job.add(results[: len(piece.texts)])
            results = results[len(piece.texts) :]

    def _answer_apart(self, slices: Sequence[_Slice[T]], error: Exception) -> None:
        if len(slices) == 1:
            slices[0].job.fail(error)
            return
        logger.warning("%s in a batch of %d requests: each is tried alone", type(error).__name__, len(slices))
        for piece in slices:
            if not piece.job.is_over():
                self._answer([piece])


def _ended_error() -> RequestError:
    return RequestError(503, "not_ready", "The server is stopping or has failed.", "Try again in a moment.")
