"""Threads for requests: few at first, more when all are busy."""

import _thread
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from bert_classifier.errors import PlatformError

logger = logging.getLogger(__name__)

_BEGIN_S = 5.0  # for a new thread's first step
FIRST = 4  # that run from the start, so that pings are answered where memory has run out since
_REMEDY = "Raise the limit of processes or of memory, or lower SERVING_MAX_CONCURRENT_REQUESTS."


def as_platform_error(error: Exception) -> Exception:
    """Return what a thread that cannot start means to whoever runs the server, and any other error as it is."""
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return PlatformError("The server's threads could not start.", _REMEDY)
    return error


class RequestThreads(Executor):
    """Threads that start on demand, and of which the one that was busy last is the first to work again.

    `ThreadPoolExecutor` starts them in `submit`: where memory has run out, that may never return, and would stop the
    event loop. It also wakes the one that has slept longest, whose memory the cores' caches have forgotten.

    Args:
        most: the number of threads at most.
    Attributes:
        has_failed: whether a result may not have reached who waits for it, as memory had run out.
    Raises:
        PlatformError: when none can start.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._idle: list[threading.Lock] = []  # each wakes a thread when it is released
        self._lock = threading.Lock()
        self._wanted = threading.Semaphore(0)
        self._count = 0
        self._has_warned = False
        self.has_failed = False
        while self._count < min(FIRST, most) and self._start_one():
            pass
        try:
            _thread.start_new_thread(self._start_more, ())
        except RuntimeError:
            self._warn()
        if not self._count:
            raise PlatformError(f"{most} threads could not start.", _REMEDY)

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> "Future[Any]":
        """Have a function called in a thread, and return at once."""
        future: Future[Any] = Future()
        with self._lock:
            self._work.append((future, function, args))
            if self._idle:
                self._idle.pop().release()
            elif self._count < self._most:
                self._wanted.release()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the threads end with the process."""

    def _start_more(self) -> None:
        while True:
            self._wanted.acquire()
            if self._work and self._count < self._most:
                self._start_one()

    def _start_one(self) -> bool:
        began = threading.Lock()
        began.acquire()
        try:
            _thread.start_new_thread(self._run, (began,))
        except (RuntimeError, MemoryError):
            self._warn()
            return False
        # threading.Thread would wait for ever for one that dies of no memory as it begins.
        if not began.acquire(timeout=_BEGIN_S):
            self._warn()
            return False
        self._count += 1
        return True

    def _warn(self) -> None:
        if self._count and not self._has_warned:
            self._has_warned = True
            logger.warning("only %d of %d request threads could start. %s", self._count, self._most, _REMEDY)

    def _run(self, began: threading.Lock) -> None:
        bell = threading.Lock()
        bell.acquire()
        began.release()
        while True:
            with self._lock:
                work = self._work.popleft() if self._work else None
                if work is None:
                    self._idle.append(bell)
            if work is None:
                bell.acquire()
                continue
            try:
                _call(*work)
            except MemoryError:
                self.has_failed = True
            del work  # it holds the connection


def _call(future: "Future[Any]", function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        result = function(*args)
    except BaseException as error:  # noqa: BLE001 - the future's owner handles it
        future.set_exception(error)
    else:
        future.set_result(result)
