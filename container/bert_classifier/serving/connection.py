"""One client's connection in the worker's event loop, which reads a request's head before a thread starts."""

import contextlib
import errno
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import TConn

from bert_classifier.serving.timed_socket import TimedSocket, TooSlowError

HEAD_S = 5.0  # from a request's first byte to the end of its head
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LONGEST_HEAD = 64 * 1024
_READ_SIZE = 16 * 1024
_DISCARD_SIZE = 64 * 1024
_END_OF_HEAD = re.compile(rb"\n\r?\n")  # bare line feeds too: the parser refuses them at once


def decide_once_to_close(request: Any, is_stopping: Callable[[], bool]) -> None:
    """Have a request of gunicorn's decide when its answer's head is written whether the connection ends.

    It stands by that decision later, since the client relies on what the head says.
    """
    wants_close: Callable[[], bool] = request.should_close
    decided: bool | None = None

    def should_close() -> bool:
        nonlocal decided
        decided = (is_stopping() or wants_close()) if decided is None else decided
        return decided

    request.should_close = should_close


def cut_reason(error: Exception) -> str:
    """Return which of metrics.CUTS it is when an answer cannot be written; bodies are the application's to answer."""
    if isinstance(error, TooSlowError):
        return "slow_answer"
    return "client_left" if isinstance(error, OSError) else "bug"


class Connection(TConn):  # type: ignore[misc] # gunicorn has no type information
    """A connection that belongs to the event loop until a request's head is there; then to a thread.

    Attributes:
        until: when the loop gives it up, on time.monotonic's clock.
        refusal: why there is no request although the connection was handed over.
    """

    sock: TimedSocket

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, TimedSocket.adopt(sock), client, server)
        self.until = 0.0
        self.refusal: ParseException | None = None
        self._received = bytearray()
        self._is_whole = False
        self.init()

    @property
    def is_idle(self) -> bool:
        """Whether no byte of a next request has been read."""
        return not self._received

    def wait_until(self, until: float) -> None:
        """Begin to wait for a request; what was read beyond the last one belongs to it."""
        self.until = until
        self._is_whole = False
        self._take(self.parser.unreader.take_buffered())

    def read_head(self) -> bool:
        """Take what has come, and say whether a thread has something to do with it.

        Raises:
            OSError: when the client has left.
        """
        if not self._is_whole:
            with contextlib.suppress(BlockingIOError):
                data = self.sock.recv_now(_READ_SIZE)
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "the client has closed the connection")
                self._take(data)
        return self._is_whole

    def _take(self, data: bytes) -> None:
        if data and self.is_idle:
            self.sock.request_began = time.monotonic()
            self.until = min(self.until, self.sock.request_began + HEAD_S)
        looked_at = max(0, len(self._received) - 2)  # so that single bytes do not cost a search of all each
        self._received += data
        if _END_OF_HEAD.search(self._received, looked_at):
            self._is_whole = True
        elif len(self._received) > _LONGEST_HEAD:
            kind = LimitRequestHeaders if b"\n" in self._received else LimitRequestLine
            self.refusal = kind("the head has no end")
            self._is_whole = True

    def hand_over(self) -> None:
        """Give what has been read to the parser, which a thread then runs without waiting for more."""
        self.sock.begin_request()
        self.sock.read_until = time.monotonic()
        self.parser.unreader.unread(bytes(self._received))
        self._received.clear()

    def shut_down(self) -> None:
        """Say that nothing more follows, and take what has come since.

        Raises:
            OSError: when the client has closed its side, as one often has by now that has the whole answer.
        """
        self.sock.shutdown(socket.SHUT_WR)
        self.discard()

    def discard(self) -> None:
        """Read and forget, until there is nothing for the moment.

        Raises:
            OSError: when the client has closed its side.
        """
        with contextlib.suppress(BlockingIOError):
            if not self.sock.recv_now(_DISCARD_SIZE):
                raise ConnectionResetError(errno.ECONNRESET, "the client has closed the connection")
