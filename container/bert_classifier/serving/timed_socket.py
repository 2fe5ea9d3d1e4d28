"""A client's socket on which every wait ends, however slowly data trickles in."""

import errno
import socket
import time
from typing import Any, Self

BODY_S = 5.0  # for a body, plus one second per megabyte of it
ANSWER_S = 10.0  # for the client to take the answer, likewise
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BYTES_PER_S = 1_000_000  # minimum rate, on top of the seconds above


class TooSlowError(ConnectionResetError):
    """The client took too long. gunicorn treats it like one that has disconnected."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class TimedSocket(socket.socket):
    """A socket with a deadline for reading.

    Attributes:
        read_until: on time.monotonic's clock.
        owes_continue: whether the client waits for "100 Continue" before it sends the body; recv says it.
        request_began: when the first byte of the request came, on time.monotonic's clock.
    """

    read_until = 0.0
    owes_continue = False
    request_began = 0.0

    @classmethod
    def adopt(cls, other: socket.socket) -> Self:
        """Take over the connection of another socket object."""
        return cls(other.family, other.type, other.proto, fileno=other.detach())

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
            self.sendall(_CONTINUE)
        self.settimeout(left)
        try:
            return super().recv(size, flags)
        except TimeoutError as error:
            raise TooSlowError from error

    def recv_now(self, size: int) -> bytes:
        """Read what has arrived; raise BlockingIOError if nothing has."""
        self.setblocking(False)
        return super().recv(size)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write all, or raise TooSlowError if the client does not read it in time."""
        self.settimeout(ANSWER_S + len(data) / BYTES_PER_S)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise TooSlowError from error
