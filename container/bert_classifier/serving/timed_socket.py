"""A client's socket on which no wait is for ever, however steadily the client trickles."""

import errno
import socket
import time
from typing import Any, Self

BODY_S = 5.0  # for a body, and one more second for each megabyte of it
ANSWER_S = 10.0  # for the client to take the answer, likewise
BYTES_PER_S = 1_000_000  # slower than this, over the seconds above, and a client is cut off


class TooSlowError(ConnectionResetError):
    """The client took too long. gunicorn passes it over like one that has left."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class TimedSocket(socket.socket):
    """A socket with a time at which reading ends.

    Attributes:
        read_until: on time.monotonic's clock.
        wakes_at: bytes that must be there before a poller reports the socket; it does so, too, when the client leaves.
    """

    read_until = 0.0
    wakes_at = 1

    @classmethod
    def adopt(cls, other: socket.socket) -> Self:
        """Return the same connection; the other object is no longer of use."""
        return cls(other.family, other.type, other.proto, fileno=other.detach())

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, waiting until read_until at most.

        Raises:
            TooSlowError: when nothing has come by then, or it is past.
        """
        left = self.read_until - time.monotonic()
        if left <= 0:  # even if something is there: else a steady trickle would go on for ever
            raise TooSlowError
        self.settimeout(left)
        try:
            return super().recv(size, flags)
        except TimeoutError as error:
            raise TooSlowError from error

    def recv_now(self, size: int, flags: int = 0) -> bytes:
        """Read what is there; BlockingIOError when it is nothing."""
        self.setblocking(False)
        return super().recv(size, flags)

    def wake_at(self, size: int) -> None:
        """Set wakes_at."""
        if size != self.wakes_at:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self.wakes_at = size

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write all, or raise TooSlowError when the client has not taken it in time."""
        self.settimeout(ANSWER_S + len(data) / BYTES_PER_S)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise TooSlowError from error
