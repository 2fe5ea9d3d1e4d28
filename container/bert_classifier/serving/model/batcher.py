"""Micro-batching: model threads predict for several requests at once, and isolate their failures."""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bert_classifier.errors import RequestError
from bert_classifier.serving import memory
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.job import Chunk, Job
from bert_classifier.serving.model.pending import Pending, ended_error

logger = logging.getLogger(__name__)

T = TypeVar("T")
Predict = Callable[[Sequence[str]], Sequence[T]]


class MicroBatcher(Generic[T]):
    """Answers requests in passes, each of which takes a chunk from each of the requests that have waited longest.

    There is no timer: a single request is predicted at once, and further ones queue while a pass runs. The cost of a
    pass is bounded and shared among requests; unfinished ones return to the end of the queue, so that thousands of
    texts do not delay the others. A model thread takes at most its lane's share of all queued and running work.

    A short text that finds a model thread idle is predicted by the thread that brings it, in that one's place: to wake
    one thread and to be woken by it takes as long as some tokens in the model. Its deadline is not watched meanwhile.

    Args:
        predicts: one function per model thread, which returns one result per text, in order.
        cost_of: cost of a text, such as its tokens.
        max_cost: maximum cost of a pass; a single text may exceed it.
        max_waiting_cost: maximum cost of the queue; a request beyond it is refused, unless the queue is empty.
        quick_cost: cost up to which a text is predicted by the thread that brings it.
        quick_predicts: what such a thread calls in place of predicts.
        lanes: what each model thread computes with; threads with the same lane compute in turn. Default: each its own.
        probe: a text that a sound model can always predict.
    """

    def __init__(
        self,
        predicts: Sequence[Predict[T]],
        *,
        cost_of: Callable[[str], int],
        max_cost: int,
        max_waiting_cost: int,
        metrics: Metrics,
        quick_cost: int = 0,
        quick_predicts: Sequence[Predict[T]] = (),
        lanes: Sequence[str] = (),
        probe: str = "A plain text that a sound model can always predict.",
    ) -> None:
        self._lanes = lanes or tuple(map(str, range(len(predicts))))
        self._cost_of = cost_of
        self._max_cost = max_cost
        self._max_waiting_cost = max_waiting_cost
        self._quick_cost = quick_cost
        self._metrics, self._probe = metrics, probe
        self._waiting: list[Job[T]] = []  # with texts left to take
        self._unfinished: dict[Job[T], None] = {}
        self._waiting_cost = 0
        self._running_cost: dict[int, int] = {}  # by model thread
        self._busy_since: dict[int, float] = {}  # by model thread
        self._problem: str | None = None
        self._is_closed = False
        self._lock = threading.RLock()  # a job that fails is forgotten at once
        self._wakers = [threading.Condition(self._lock) for _ in predicts]
        self._asleep: list[int] = []  # idle model threads, the most recent last
        self._lent: set[int] = set()  # idle ones in whose place a request's thread predicts
        self._predicts = [self._timed(*item) for item in enumerate(predicts)]
        self._quick_predicts = [self._timed(*item) for item in enumerate(quick_predicts or predicts)]
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"model-{number}", daemon=True)
            for number in range(len(predicts))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are accepted and answered."""
        return not self._is_closed and self._problem is None

    def problem(self, longest_pass_s: float) -> str | None:
        """Return why no request will be answered any more, if so: a dead, stuck or broken model."""
        now = time.monotonic()
        if any(now - since > longest_pass_s for since in list(self._busy_since.values())):
            return f"a forward pass has taken more than {longest_pass_s:g} s"
        return self._problem

    def submit(self, texts: Sequence[str], deadline: float) -> Pending[T]:
        """Queue one request and return the future of its results; cancel it if the caller leaves.

        A text that fails has an exception as its result; if all fail, the future raises the first. A small request may
        be done already.

        Args:
            texts: at least one.
            deadline: on time.monotonic's clock; no work for the request starts after it.
        Raises:
            RequestError: 429 when the queue is full, 503 when the batcher has ended. The future may raise 503 and 504
                too.
        """
        job: Job[T] = Job(texts, [self._cost_of(text) for text in texts], deadline)
        with self._lock:
            if not self.is_alive:
                raise ended_error()
            if self._waiting and self._waiting_cost + job.waiting_cost > self._max_waiting_cost:
                raise RequestError(429, "overloaded", "Too many texts are waiting.", "Try again in a moment.")
            self._unfinished[job] = None
            job.future.add_done_callback(lambda _: self._forget(job))
            place = self._place_of_idle() if self._is_quick(job) else None
            if place is None:
                self._waiting.append(job)
                self._waiting_cost += job.waiting_cost
                self._wake_one()
            else:
                self._lent.add(place)
                self._running_cost[place] = job.waiting_cost
        if place is not None:
            self._answer_here(job, place)
        return job.future

    def _is_quick(self, job: Job[T]) -> bool:
        # Not several texts: idle model threads would share them.
        is_small = len(job.texts) == 1 and job.waiting_cost <= self._quick_cost
        return is_small and not self._waiting and not job.is_over()

    def _answer_here(self, job: Job[T], place: int) -> None:
        """Predict a request in the calling thread, in the place of a model thread that is idle."""
        try:
            self._metrics.observe_stage("queue", job.future.note_taken(time.monotonic()))
            self._answer([job.take(job.waiting_cost)], self._quick_predicts[place])
        except BaseException:  # noqa: BLE001 - what would end a model thread
            self._note_death()
        finally:
            self._take_back(place)

    def _take_back(self, place: int) -> None:
        with self._lock:
            self._lent.discard(place)
            self._running_cost[place] = 0
            if self._is_closed:  # which has woken the model thread in vain
                self._wakers[place].notify()
                return
            self._asleep.append(place)
            if self._waiting:
                self._wake_one()

    def _forget(self, job: Job[T]) -> None:
        with self._lock:
            self._unfinished.pop(job, None)

    def abandon(self) -> None:
        """Fail every unfinished request with 503."""
        with self._lock:
            for job in list(self._unfinished):
                job.fail(ended_error())

    def _give_up(self, problem: str) -> None:
        """Answer no request any more."""
        with self._lock:  # so that none joins in between
            self._problem = problem
            self.abandon()

    def close(self, timeout: float) -> bool:
        """Accept no more requests, answer the queued ones, and return whether `timeout` seconds sufficed."""
        until = time.monotonic() + timeout
        with self._lock:
            self._is_closed = True
            for waker in self._wakers:
                waker.notify()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _timed(self, number: int, predict: Predict[T]) -> Predict[T]:
        """Return the function, with a note of since when it has been busy."""

        def timed(texts: Sequence[str]) -> Sequence[T]:
            self._busy_since[number] = time.monotonic()
            try:
                return predict(texts)
            finally:
                del self._busy_since[number]

        return timed

    def _run(self, number: int) -> None:
        try:
            while chunks := self._next_pass(number):
                self._answer(chunks, self._predicts[number])
        except BaseException:
            self._note_death()
            raise

    def _note_death(self) -> None:
        logger.critical("a model thread has died: no request can be answered any more")
        self._give_up("a model thread has died")

    def _next_pass(self, number: int) -> list[Chunk[T]]:
        """Wait for requests and return chunks of them; none once the batcher is closed and the queue empty."""
        with self._lock:
            self._running_cost[number] = 0
            while True:
                self._drop_those_over()
                if number not in self._lent:
                    if self._waiting:
                        return self._take_share(number)
                    if self._is_closed:
                        return []
                    self._asleep.append(number)
                self._wakers[number].wait()

    def _wake_one(self) -> None:
        number = self._place_of_idle()
        if number is not None:
            self._wakers[number].notify()

    def _place_of_idle(self) -> int | None:
        """Take an idle thread of the most idle lane: the last to fall asleep, its data is still in the CPU caches."""
        if len(self._asleep) <= 1:
            return self._asleep.pop() if self._asleep else None
        idle = Counter(self._lanes[number] for number in self._asleep)
        place = max(range(len(self._asleep)), key=lambda i: (idle[self._lanes[self._asleep[i]]], i))
        return self._asleep.pop(place)

    def _drop_those_over(self) -> None:
        over = {job for job in self._waiting if job.is_over()}
        self._waiting_cost -= sum(job.waiting_cost for job in over)
        self._waiting = [job for job in self._waiting if job not in over]

    def _take_share(self, number: int) -> list[Chunk[T]]:
        """Take the next pass from the requests that have waited longest; the unfinished ones go to the end."""
        now = time.monotonic()
        budget = self._budget()
        share, left = budget // len(self._waiting), budget
        chunks: list[Chunk[T]] = []
        for job in self._waiting:
            if left <= 0:
                break
            if not job.taken:
                self._metrics.observe_stage("queue", job.future.note_taken(now))
            chunks.append(job.take(share))
            left -= chunks[-1].cost
        unfinished = [chunk.job for chunk in chunks if chunk.job.taken < len(chunk.job.texts)]
        self._waiting = self._waiting[len(chunks) :] + unfinished
        self._running_cost[number] = budget - left
        self._waiting_cost -= budget - left
        if self._waiting:
            self._wake_one()
        return chunks

    def _budget(self) -> int:
        """Return the budget of the next pass: a lane's share of queued and running work, at most max_cost."""
        under_way = self._waiting_cost + sum(self._running_cost.values())
        return max(1, min(self._max_cost, math.ceil(under_way / len(set(self._lanes)))))

    def _answer(self, chunks: Sequence[Chunk[T]], predict: Predict[T]) -> None:
        results = self._predict_each([text for chunk in chunks for text in chunk.texts], predict)
        for chunk in chunks:
            chunk.job.put(chunk.start, results[: len(chunk.texts)])
            results = results[len(chunk.texts) :]

    def _predict_each(self, texts: Sequence[str], predict: Predict[T]) -> list[T | Exception]:
        """Predict all texts together; if that fails, each half, so that only the faulty texts fail.

        Where memory has run out, halves would fail one after the other until the last text: all requests end.
        """
        try:
            results = predict(texts)
            if len(results) != len(texts):
                raise RuntimeError(f"{len(results)} results for {len(texts)} texts")
            return list(results)
        except Exception as error:  # noqa: BLE001 - the request gets the error, and the thread continues
            if memory.has_run_out(error):
                self._give_up(memory.NO_MEMORY)
            if len(texts) == 1 or self._problem is not None:
                self._check_model(predict)
                return [error] * len(texts)
            logger.warning("%s in a pass of %d texts: retrying each half", type(error).__name__, len(texts))
        half = len(texts) // 2
        return self._predict_each(texts[:half], predict) + self._predict_each(texts[half:], predict)

    def _check_model(self, predict: Predict[T]) -> None:
        """After a failure, find out whether the text or the model, such as a broken GPU, is the cause."""
        if self._problem is not None:
            return
        try:
            predict([self._probe])
        except Exception as error:  # noqa: BLE001 - as above
            self._problem = f"the model fails on a plain text as well ({type(error).__name__})"
