"""Threads that start on demand: in the order of last use, up to their number, and where starting one fails."""

import _thread
import threading
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import pytest

from bert_classifier.errors import PlatformError
from bert_classifier.serving import request_threads
from bert_classifier.serving.request_threads import FIRST, RequestThreads, as_platform_error
from support.patience import PATIENCE_S


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of threads that may start yet, as the only element of a list."""
    left, start = [0], _thread.start_new_thread

    def start_or_fail(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(function, arguments)

    monkeypatch.setattr(_thread, "start_new_thread", start_or_fail)
    return left


def test_all_run_at_once_and_no_more():
    """As many functions as there may be threads run side by side; one more waits for its turn."""
    threads, count = RequestThreads(FIRST + 3), FIRST + 3
    meet, end = threading.Barrier(count + 1), threading.Event()

    def work() -> str:
        meet.wait(PATIENCE_S)
        end.wait(PATIENCE_S)
        return threading.current_thread().name

    busy = [threads.submit(work) for _ in range(count)]
    meet.wait(PATIENCE_S)
    waiting = threads.submit(lambda: threading.current_thread().name)
    end.set()
    names = {future.result(PATIENCE_S) for future in busy}
    assert len(names) == count
    assert waiting.result(PATIENCE_S) in names


def test_the_thread_that_was_busy_last_works_again():
    """One caller after another costs a thread or two, with their stacks and caches, however many there are."""
    threads, meet = RequestThreads(20), threading.Barrier(20)
    assert not wait([threads.submit(meet.wait, PATIENCE_S) for _ in range(20)], PATIENCE_S).not_done
    names = set()
    for _ in range(50):
        names.add(threads.submit(lambda: threading.current_thread().name).result(PATIENCE_S))
    assert len(names) < 10, "not one alone: a caller may ask before the thread that answered it waits again"


def test_an_error_is_the_futures():
    """The thread goes on."""
    threads = RequestThreads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(PATIENCE_S)
    assert threads.submit(lambda number: number + 1, 1).result(PATIENCE_S) == 2


@pytest.mark.parametrize("may_start", [1, 2, FIRST, FIRST + 1, FIRST + 2])
def test_threads_that_cannot_start_leave_the_work_to_others(few_threads, caplog, may_start):
    """All is done by those that run, and the log says once how many they are."""
    few_threads[0] = may_start
    threads = RequestThreads(50)
    futures = [threads.submit(pow, 2, n) for n in range(200)]
    assert not wait(futures, PATIENCE_S).not_done
    assert [future.result() for future in futures] == [2**n for n in range(200)]
    warnings = [record.message for record in caplog.records]
    assert len(warnings) <= 1
    assert all("of 50 request threads could start. Raise the limit" in warning for warning in warnings)


def test_a_thread_that_dies_as_it_begins_stops_no_other(monkeypatch):
    """As where memory has run out: nobody waits for it for long, and the next one may live."""
    begun, start = [0], _thread.start_new_thread

    def start_every_second(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        begun[0] += 1
        start(function if begun[0] % 2 else lambda *_: None, arguments)

    monkeypatch.setattr(request_threads, "_BEGIN_S", 0.2)
    monkeypatch.setattr(_thread, "start_new_thread", start_every_second)
    threads = RequestThreads(FIRST)
    futures = [threads.submit(pow, 2, n) for n in range(50)]
    assert not wait(futures, PATIENCE_S).not_done
    assert begun[0] > 1


def test_without_any_thread_it_fails(few_threads):
    """The error names the number and the remedy."""
    with pytest.raises(PlatformError, match=r"80 threads could not start.*SERVING_MAX_CONCURRENT_REQUESTS"):
        RequestThreads(80)


def test_only_a_thread_that_cannot_start_is_the_platforms():
    """Other errors stay what they are."""
    assert isinstance(as_platform_error(RuntimeError("can't start new thread")), PlatformError)
    bug = RuntimeError("another")
    assert as_platform_error(bug) is bug
