"""One client's connection: what a request costs before it is whole, and how long a slow peer may take."""

import contextlib
import errno
import re
import socket
import time
from typing import Any, Self

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn

HEAD_S = 5.0  # from a request's first byte to the end of its head
BODY_S = 5.0  # for a body, and one more second for each megabyte of it
ANSWER_S = 10.0  # for the client to take the answer, likewise
BYTES_PER_S = 1_000_000  # slower than this, over the seconds above, and a client is cut off
LONGEST_HEAD = 64 * 1024
_END_OF_HEAD = re.compile(rb"\n\r?\n")  # bare line feeds too: the parser refuses them at once
_LINGER_STEP = 256 * 1024


class TooSlowError(ConnectionResetError):
    """The peer took too long. To gunicorn it has left, which it passes over in silence."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the peer is too slow")


class TimedSocket(socket.socket):
    """A socket whose blocking calls end at an absolute time, however steadily the peer trickles.

    Attributes:
        read_until: when reading ends, on time.monotonic's clock.
    """

    read_until = 0.0

    @classmethod
    def adopt(cls, other: socket.socket) -> Self:
        """Return the same connection; the other object is no longer of use."""
        made = cls(other.family, other.type, other.proto, fileno=other.detach())
        made.setblocking(False)
        return made

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, blocking until read_until at most.

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

    def recv_now(self, size: int) -> bytes:
        """Read what is there; BlockingIOError when it is nothing."""
        self.setblocking(False)
        return super().recv(size)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write all, or cut off a client that does not read.

        Raises:
            TooSlowError: when the peer has not taken it in time.
        """
        self.settimeout(ANSWER_S + len(data) / BYTES_PER_S)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise TooSlowError from error


class Connection(TConn):  # type: ignore[misc] # gunicorn has no type information
    """A connection in the worker's event loop until a request's head is there; then a thread's.

    Attributes:
        until: when the loop gives it up, on time.monotonic's clock.
    """

    sock: TimedSocket

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, TimedSocket.adopt(sock), client, server)
        self.until = 0.0
        self._received = bytearray()
        self.parser = get_parser(cfg, self.sock, client)
        self.initialized = True

    @property
    def is_idle(self) -> bool:
        """Whether no byte of a next request has come."""
        return not self._received

    def wait_until(self, until: float) -> None:
        """Begin to wait for a request; what was read beyond the last one belongs to it."""
        self.until = until
        self._received += self.parser.unreader.take_buffered()
        if self._received:
            self._note_first_byte()

    def read_head(self) -> bool:
        """Take what has come, and say whether a thread has something to do with it.

        Raises:
            OSError: when the peer has left.
        """
        if not self._has_head():
            with contextlib.suppress(BlockingIOError):
                self._take(self.sock.recv_now(16 * 1024))
        return self._has_head()

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the peer has closed the connection")
        if not self._received:
            self._note_first_byte()
        self._received += data

    def _note_first_byte(self) -> None:
        self.until = min(self.until, time.monotonic() + HEAD_S)

    def _has_head(self) -> bool:
        return len(self._received) > LONGEST_HEAD or bool(_END_OF_HEAD.search(self._received))

    def hand_over(self) -> None:
        """Give what has been read to the parser, which a thread then runs.

        It is not to wait for more: the head is whole, or so long that it is not waited for.
        """
        self.sock.read_until = time.monotonic()
        self.parser.unreader.unread(bytes(self._received))
        self._received.clear()

    def end_writing(self) -> None:
        """Tell the peer that nothing more comes; closing at once could cost it the end of the answer."""
        self.sock.shutdown(socket.SHUT_WR)

    def discard(self) -> None:
        """Read and forget, until there is nothing for the moment.

        Raises:
            OSError: when the peer has closed its side.
        """
        with contextlib.suppress(BlockingIOError):
            if not self.sock.recv_now(_LINGER_STEP):
                raise ConnectionResetError(errno.ECONNRESET, "the peer has closed the connection")
