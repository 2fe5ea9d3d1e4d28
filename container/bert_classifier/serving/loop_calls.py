"""Calls that threads leave to the event loop."""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue

from bert_classifier.serving.system_calls import write_now

_AT_ONCE = 1024  # bytes read from the pipe


class LoopCalls(PollableMethodQueue):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn's queue of calls for its event loop, which wakes the loop once for all calls that wait, not for each."""

    def __init__(self) -> None:
        super().__init__()
        self._is_woken = False

    def defer(self, callback: Callable[..., None], *args: Any) -> None:
        """Have a function called in the event loop's thread."""
        self._queue.put(partial(callback, *args))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):  # full, so that the loop wakes anyway; or closed
                write_now(self._write_fd, b"\0")

    def run_callbacks(self, _fileobj: Any, _max_callbacks: int = 0) -> None:
        """Make the calls that wait; those that come meanwhile wake the loop again."""
        with contextlib.suppress(OSError):
            os.read(self._read_fd, _AT_ONCE)
        self._is_woken = False  # first, so that no call is left behind
        for _ in range(self._queue.qsize()):
            self._queue.get_nowait()()
