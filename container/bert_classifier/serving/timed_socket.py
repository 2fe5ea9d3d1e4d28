"""A client's socket on which every wait ends, however slowly data trickles in."""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

from bert_classifier.serving.system_calls import recv_now, send_now

BODY_S = 5.0  # for a body, plus one second per megabyte of it
ANSWER_S = 10.0  # for the client to take the answer, likewise
BYTES_PER_S = 1_000_000  # minimum rate, on top of the seconds above
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_TO_JOIN = 64 * 1024  # bytes, as joining copies them


class TooSlowError(ConnectionResetError):
    """The client took too long. gunicorn treats it like one that has disconnected."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class TimedSocket(socket.socket):
    """A socket with a deadline for reading, which never blocks: only what has to wait pays for waiting.

    Attributes:
        read_until: on time.monotonic's clock.
        owes_continue: whether the client waits for "100 Continue" before it sends the body; recv says it.
        holds_head: whether the next piece to write is an answer's head, which leaves together with the piece after it.
        request_began: when the first byte of the request came, on time.monotonic's clock.
    """

    read_until = 0.0
    owes_continue = False
    holds_head = False
    request_began = 0.0
    _is_answering = False
    _answer: "threading.Lock"  # which the first to answer takes for good
    _held = b""

    @classmethod
    def adopt(cls, other: socket.socket) -> Self:
        """Take over the connection of another socket object."""
        adopted = cls(other.family, other.type, other.proto, fileno=other.detach())
        super(TimedSocket, adopted).settimeout(0.0)
        adopted.begin_request()
        return adopted

    def setblocking(self, _flag: bool, /) -> None:
        """Leave it as it is: each wait has its own end here."""

    def settimeout(self, _value: float | None, /) -> None:
        """Leave it as it is."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, waiting until read_until at most.

        Raises:
            TooSlowError: when nothing has arrived by then, or the deadline has passed already.
        """
        left = self.read_until - time.monotonic()
        if left <= 0:  # even if data is there: otherwise a steady trickle would never end
            raise TooSlowError
        if self.owes_continue:
            self.owes_continue = False
            self._write(_CONTINUE)
        with contextlib.suppress(BlockingIOError):
            return super().recv(size, flags)
        with self._waiting(left):
            return super().recv(size, flags)

    def recv_now(self, size: int) -> bytes:
        """Read what has arrived; raise BlockingIOError if nothing has."""
        return recv_now(self.fileno(), size)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write all.

        Raises:
            TooSlowError: when the client does not read it in time.
            BrokenPipeError: when the request has been answered for.
        """
        if not self._is_answering:
            if not self._answer.acquire(blocking=False):
                raise BrokenPipeError(errno.EPIPE, "the request has been answered")
            self._is_answering = True
        if self.holds_head:
            self.holds_head, self._held = False, data
        else:
            held, self._held = self._held, b""
            if len(data) > _MOST_TO_JOIN:
                self._write(held)
                held = b""
            self._write(held + data)

    def begin_request(self) -> None:
        """Expect an answer, which is given once: by a thread or for it."""
        self._is_answering, self._answer = False, threading.Lock()

    @property
    def is_answered_for(self) -> bool:
        """Whether the event loop has answered the request, which its thread, the one that asks, had not."""
        return self._answer.locked() and not self._is_answering

    def answer_for(self, answer: bytes) -> bool:
        """Give the whole answer, unless one has begun, and return whether this is the only one."""
        if not self._answer.acquire(blocking=False):
            return False
        with contextlib.suppress(OSError):
            send_now(self.fileno(), answer)
        return True

    def write_held(self) -> None:
        """Write the head of an answer without a body."""
        if self._held:
            self.sendall(b"")

    def _write(self, data: bytes) -> None:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = send_now(self.fileno(), data) if len(data) <= _MOST_TO_JOIN else super().send(data)
        if sent < len(data):
            with self._waiting(ANSWER_S + len(data) / BYTES_PER_S):
                super().sendall(memoryview(data)[sent:])

    @contextlib.contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        """Let calls wait, and raise TooSlowError when that is over."""
        super().settimeout(seconds)
        try:
            yield
        except TimeoutError as error:
            raise TooSlowError from error
        finally:
            if self.fileno() >= 0:
                super().settimeout(0.0)
