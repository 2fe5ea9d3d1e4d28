"""gunicorn's threaded worker plus what it lacks, with the tests that the stock worker fails.

- After a stop signal, keep serving for a while, then drain the port; otherwise requests are lost (test_serve_stop).
- Use a thread only once the head of a request is complete, and bound every wait; otherwise slow clients take all
  threads (test_serve_slow_clients).
- Linger for a client that does not close in the event loop, not in a thread (the same test).
- Close idle connections to make room for new ones (test_a_client_that_floods_…, test_with_few_descriptors).
- Answer protocol errors in JSON, count them, and quote nothing (test_serve_hostile).
"""

import contextlib
import errno
import json
import logging
import re
import selectors
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

from bert_classifier.serving.listening import refuse_new_connections
from bert_classifier.serving.timed_socket import TimedSocket, TooSlowError

logger = logging.getLogger(__name__)

STOP_S = 20.0  # from SIGTERM on, for requests under way: SageMaker kills after 30
LAST_WORDS_S = 2.0  # after STOP_S, to answer what is left with 503
KEEPALIVE_S = 65  # longer than callers keep an unused connection, so that they close it first
_LAME_DUCK_S = 5.0  # maximum time from SIGTERM during which the port stays open
_QUIET_S = 0.5  # without a new request, after which the port is closed earlier
_SWEEP_S = 0.2  # from refusing new connections to closing the port
_HEAD_S = 5.0  # from the first byte of a request to the end of its head
_LINGER_S = 2.0  # for the client to close its side after the last answer
_SUPERVISE_S = 1.0
_LONGEST_HEAD = 64 * 1024
_END_OF_HEAD = re.compile(rb"\n\r?\n")  # also after bare line feeds, which the parser refuses at once
_OPEN: "Future[bool]" = Future()
_OPEN.set_result(True)
_STATUS_OF_PARSER: tuple[tuple[type[Exception], str], ...] = (
    (LimitRequestLine, "414 URI Too Long"),
    (LimitRequestHeaders, "431 Request Header Fields Too Large"),
    (UnsupportedTransferCoding, "501 Not Implemented"),
    (ParseException, "400 Bad Request"),
)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no type information
    """One process: an event loop in the main thread, and threads for requests with a complete head."""

    SIGNALS = (signal.SIGABRT, signal.SIGCHLD)  # to reset: the server ignores the others

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parked: dict[TConn, Callable[[TConn, TimedSocket], None]] = {}  # with their readers
        self._stopped_at: float | None = None
        self._refused_at: float | None = None
        self._last_arrival = 0.0
        self._supervised_at = 0.0

    def handle_exit(self, _signal: int, _frame: Any) -> None:
        """Begin to stop, but keep serving for a while, so that clients unaware of the stop are not refused."""
        if self._stopped_at is None:
            self._stopped_at = self._last_arrival = time.monotonic()
            self.method_queue.defer(lambda: None)  # wakes the loop

    def notify(self) -> None:
        """Tell the parent that this process is alive; gunicorn's loop calls it before waiting for events."""
        super().notify()
        now = time.monotonic()
        for conn in [conn for conn in self._parked if conn.timeout <= now]:
            is_slow_head = self._parked[conn] == self._read_head
            self._unpark(conn)
            if is_slow_head:
                self.app.note_cut("slow_head")
                with contextlib.suppress(OSError):
                    conn.sock.recv_now(
                        _LONGEST_HEAD
                    )  # unread data would make the kernel reset the connection
            self._close(conn)
        while self.nr_conns >= self.worker_connections and self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()
        if now >= self._supervised_at + _SUPERVISE_S:
            self._supervised_at = now
            self.app.supervise()
        if self._stopped_at is not None:
            self._go_on_stopping(self._stopped_at, now)

    def _go_on_stopping(self, began: float, now: float) -> None:
        if self._refused_at is not None:
            self.alive = now < self._refused_at + _SWEEP_S  # False ends the first of gunicorn's two loops
        elif now >= min(self._last_arrival + _QUIET_S, began + _LAME_DUCK_S):
            self._refused_at = now
            for listener in self.sockets:
                refuse_new_connections(listener)
        if now >= began + STOP_S:
            self.app.abandon()
        if now >= began + STOP_S + LAST_WORDS_S:
            logger.warning("%d connections did not end in time", self.nr_conns)
            raise SystemExit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Watch the port or not; at the end of the loop, accept what the kernel has queued and close the port."""
        if self.alive:
            super().set_accept_enabled(enabled)
            return
        for listener in self.sockets:
            while self._accept_one(listener):
                pass
        super().set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()

    def accept(self, listener: Any) -> None:
        """Add a connection to the event loop, like one kept alive between two requests."""
        self._accept_one(listener)

    def _accept_one(self, listener: Any) -> bool:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self.worker_connections = max(
                    self.cfg.threads, self.nr_conns
                )  # so that notify() closes idle ones
                time.sleep(0.02)
            return False
        self.nr_conns += 1
        self._last_arrival = time.monotonic()
        conn = TConn(self.cfg, TimedSocket.adopt(client), address, listener.getsockname())
        conn.init()
        super().finish_request(conn, _OPEN)
        return True

    # Between a connection and its thread

    def enqueue_req(self, conn: TConn) -> None:
        """Pass a connection to a thread once the head of its request is complete."""
        conn.timeout = time.monotonic() + _HEAD_S
        self._go_on_with_head(conn)

    def _read_head(self, conn: TConn, _sock: TimedSocket) -> None:
        self._unpark(conn)
        self._go_on_with_head(conn)

    def _go_on_with_head(self, conn: TConn) -> None:
        """Peek at the received data and leave it in the kernel, which wakes the loop only when more has arrived."""
        try:
            peeked = conn.sock.recv_now(_LONGEST_HEAD, socket.MSG_PEEK)
            has_left = len(peeked) < conn.sock.wakes_at  # since it was woken with less than wakes_at
        except BlockingIOError:  # the parser has already read the head with the last request
            peeked, has_left = b"", False
        except OSError:
            peeked, has_left = b"", True
        head = conn.parser.unreader.buf.getvalue() + peeked
        if _END_OF_HEAD.search(head):
            conn.sock.wake_at(1)
            self._last_arrival = time.monotonic()
            conn.sock.read_until = self._last_arrival + _HEAD_S
            super().enqueue_req(conn)
        elif len(head) >= _LONGEST_HEAD:
            self.handle_error(None, conn.sock, conn.client, LimitRequestHeaders("head"))
            self._linger(conn)
        elif has_left:
            self._close(conn)
        else:
            conn.sock.wake_at(len(peeked) + 1)
            self._park(conn, self._read_head)

    def finish_request(self, conn: TConn, fs: "Future[bool]") -> None:
        """Take a connection back from its thread; runs in the main thread."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: TConn) -> None:
        """Close a connection after the client has received the response, without blocking."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it is closed already
            self._close(conn)
        else:
            conn.sock.wake_at(1)
            conn.timeout = time.monotonic() + _LINGER_S
            self._park(conn, self._discard)

    def _discard(self, conn: TConn, sock: TimedSocket) -> None:
        try:
            data = sock.recv_now(_LONGEST_HEAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._unpark(conn)
            self._close(conn)

    def _park(self, conn: TConn, read: "Callable[[TConn, TimedSocket], None]") -> None:
        self._parked[conn] = read
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(read, conn))

    def _unpark(self, conn: TConn) -> None:
        del self._parked[conn]
        self.poller.unregister(conn.sock)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()

    # Requests

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer one request; runs in a thread."""
        if self._stopped_at is not None:
            req.force_close()
        req.body.force_close = req.force_close  # for a response before the body was read
        try:
            return super().handle_request(req, conn)
        except StopIteration:  # the response failed after its head
            self.app.note_cut("bug")
            raise
        except TooSlowError:  # while writing: a slow body is the application's to answer
            self.app.note_cut("slow_answer")
            raise

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer invalid HTTP in JSON; the log does not quote it."""
        began = time.monotonic()
        status = next((text for kind, text in _STATUS_OF_PARSER if isinstance(exc, kind)), None)
        if status is None:
            status = "500 Internal Server Error"
            logger.error("a connection failed: %s", type(exc).__name__)
        reason = status.split(" ", 1)[1]
        error = {
            "error": f"The request is not proper HTTP ({reason}).",
            "code": reason.lower().replace(" ", "_"),
        }
        body = json.dumps(error).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        with contextlib.suppress(OSError):
            client.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.app.note_refusal(int(status.split(" ", 1)[0]), len(body), began)
