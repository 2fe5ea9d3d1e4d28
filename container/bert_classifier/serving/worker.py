"""gunicorn's threaded worker, made safe against slow clients, and stopping without losing a request.

Its event loop holds a connection until the head of a request has come, so that waiting costs no thread. On
SIGTERM it goes on for a while, telling each client to close, before it closes the port.
"""

import contextlib
import errno
import json
import logging
import os
import selectors
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
from gunicorn.workers.gthread import ThreadWorker

from bert_classifier.serving.connection import Connection, TooSlowError
from bert_classifier.serving.http.guarded_answer import BrokenAnswerError, GuardedAnswer
from bert_classifier.serving.listening import refuse_new_connections
from bert_classifier.serving.stop_signals import ignore_meaningless

logger = logging.getLogger(__name__)

STOP_S = 20.0  # from SIGTERM on, for requests under way: SageMaker kills after 30
LAME_DUCK_S = 5.0  # of these, most that the port stays open
QUIET_S = 0.5  # without a new request, and the port is closed earlier
SWEEP_S = 0.2  # from refusing new connections to closing the port
LAST_WORDS_S = 2.0  # after STOP_S, to tell what is left that it will not be answered
LINGER_S = 2.0  # for a client to close its side first
FIRST_BYTE_S = 65.0  # an unused connection: longer than the caller keeps it, so that it is the one to close
_TURN_S = 1.0
_ACCEPTS_A_TURN = 64
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_STATUS_OF_PARSER: tuple[tuple[type[Exception], str], ...] = (
    (LimitRequestLine, "414 URI Too Long"),
    (LimitRequestHeaders, "431 Request Header Fields Too Large"),
    (UnsupportedTransferCoding, "501 Not Implemented"),
    (ParseException, "400 Bad Request"),
)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no type information
    """One process: an event loop in the main thread, and threads for requests whose head has come."""

    wsgi: Any  # the application

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Connection, None] = {}  # for a request, longest-waiting first
        self._lingering: dict[Connection, None] = {}  # answered, until the peer closes
        self._stopped_at: float | None = None
        self._last_arrival = 0.0
        self._checked_at = 0.0

    def init_signals(self) -> None:
        """Take gunicorn's handlers, but do not die of a signal that is meant for its parent."""
        super().init_signals()
        ignore_meaningless()

    def handle_exit(self, _signal: int, _frame: Any) -> None:
        """Begin to stop."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self.method_queue.defer(lambda: None)  # wakes the loop

    def run(self) -> None:
        """Serve until told to stop, then stop in three steps: lame duck, finish, last words."""
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        while self._stopped_at is None and self.is_parent_alive():
            self.set_accept_enabled(self._has_room())
            self._turn(_TURN_S)
        self._stop(self._stopped_at or time.monotonic())
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    def _turn(self, longest: float) -> None:
        """Tell the parent that this process lives, and handle what happens within `longest` seconds."""
        self.notify()
        self.wait_for_and_dispatch_events(timeout=longest)
        now = time.monotonic()
        for connections in (self._waiting, self._lingering):
            for connection in [c for c in connections if c.until <= now]:
                if connections is self._waiting and not connection.is_idle:
                    self.app.note_cut("slow_head")
                self._drop(connection, connections)
        if now >= self._checked_at + _TURN_S:
            self._checked_at = now
            self.app.supervise()

    def _turn_while(self, condition: Callable[[], bool], until: float) -> None:
        while condition() and time.monotonic() < until:
            self._turn(0.05)

    # Stopping

    def _stop(self, began: float) -> None:
        self._stopped_at = began
        self._last_arrival = began
        self.set_accept_enabled(True)
        self._turn_while(lambda: time.monotonic() - self._last_arrival < QUIET_S, began + LAME_DUCK_S)
        for listener in self.sockets:
            refuse_new_connections(listener)
        self._turn_while(lambda: True, time.monotonic() + SWEEP_S)
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        for connection in [c for c in self._waiting if c.is_idle]:
            self._end_idle(connection)
        self._turn_while(lambda: self.nr_conns > 0, began + STOP_S)
        if self.nr_conns > 0:
            logger.warning("%d connections are not done in time and are told so", self.nr_conns)
            self.app.abandon()
            self._turn_while(lambda: self.nr_conns > 0, began + STOP_S + LAST_WORDS_S)

    def _end_idle(self, connection: Connection) -> None:
        """Close a kept-alive connection, unless a request has come on it in this moment."""
        self._read(connection, connection.sock)
        if connection in self._waiting and connection.is_idle:
            self._forget(connection, self._waiting)
            self._linger(connection)

    # Connections

    def _has_room(self) -> bool:
        """Say whether another connection may come, after making room among those that do nothing."""
        while self.nr_conns >= self.worker_connections:
            idle = next(iter(self._lingering), None) or next((c for c in self._waiting if c.is_idle), None)
            if idle is None:
                return False
            self._drop(idle, self._lingering if idle in self._lingering else self._waiting)
        return True

    def accept(self, listener: Any) -> None:
        """Take new connections into the event loop."""
        for _ in range(_ACCEPTS_A_TURN):
            if not self._has_room():
                return
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    self._wait_for_resources()
                return
            self.nr_conns += 1
            self._last_arrival = time.monotonic()
            connection = Connection(self.cfg, client, address, listener.getsockname())
            self._await_request(connection, FIRST_BYTE_S)

    def _wait_for_resources(self) -> None:
        """Give up an idle connection; else pause, as the listener would wake the loop again at once."""
        idle = next((c for c in self._waiting if c.is_idle), None)
        if idle is None:
            time.sleep(0.02)
        else:
            self._drop(idle, self._waiting)

    def _await_request(self, connection: Connection, seconds: float) -> None:
        connection.wait_until(time.monotonic() + seconds)
        self._waiting[connection] = None
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._read, connection))
        self._read(connection, connection.sock)

    def _read(self, connection: Connection, _sock: Any) -> None:
        """Read on a request's head, and hand the connection to a thread when the head is whole."""
        if connection not in self._waiting:  # dropped for another's sake in this turn of the loop
            return
        try:
            is_whole = connection.read_head()
        except OSError:
            self._drop(connection, self._waiting)
            return
        if is_whole:
            self._last_arrival = time.monotonic()
            self._forget(connection, self._waiting)
            connection.hand_over()
            self.enqueue_req(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection without cutting off the answer that is on its way."""
        connection.until = time.monotonic() + LINGER_S
        self._lingering[connection] = None
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._discard, connection))
        try:
            connection.end_writing()
        except OSError:
            self._drop(connection, self._lingering)

    def _discard(self, connection: Connection, _sock: Any) -> None:
        if connection not in self._lingering:
            return
        try:
            connection.discard()
        except OSError:
            self._drop(connection, self._lingering)

    def _forget(self, connection: Connection, connections: dict[Connection, None]) -> None:
        del connections[connection]
        self.poller.unregister(connection.sock)

    def _drop(self, connection: Connection, connections: dict[Connection, None]) -> None:
        self._forget(connection, connections)
        self.nr_conns -= 1
        connection.close()

    # Requests: in a thread, but for finish_request

    def load_wsgi(self) -> None:
        """Take the application, with answers whose failure ends nothing but their connection."""
        super().load_wsgi()
        application = self.wsgi
        self.wsgi = lambda environ, start_response: GuardedAnswer(application(environ, start_response))

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request."""
        wants_close, decided = req.should_close, None

        def should_close() -> bool:
            """Decide when the answer's head is written, and stand by it: the client relies on what that says."""
            nonlocal decided
            decided = (self._stopped_at is not None or wants_close()) if decided is None else decided
            return bool(decided)

        req.should_close = should_close
        req.body.force_close = req.force_close  # for an answer that is given before the body was read
        try:
            return super().handle_request(req, conn)
        except BrokenAnswerError:
            self.app.note_cut("bug")
            raise
        except TooSlowError:  # of the body the application makes an answer
            self.app.note_cut("slow_answer")
            raise

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Say whether another request may follow: not if a body that nobody read is still to come."""
        conn.sock.read_until = time.monotonic()
        return bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Connection, fs: "Future[bool]") -> None:
        """Take a connection back from its thread; in the main thread."""
        if conn.sock.fileno() < 0:  # closed in the thread: the loop could not wait for it
            self.nr_conns -= 1
        elif not fs.cancelled() and fs.exception() is None and fs.result():
            self._await_request(conn, self.cfg.keepalive if self._stopped_at is None else LINGER_S)
        else:
            self._linger(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that is no HTTP; the log does not quote it."""
        began = time.monotonic()
        status = next((text for kind, text in _STATUS_OF_PARSER if isinstance(exc, kind)), None)
        if status is None:
            status = "500 Internal Server Error"
            logger.error("a connection failed: %s", type(exc).__name__)
        reason = status.split(" ", 1)[1]
        told = {
            "error": f"The request is not proper HTTP ({reason}).",
            "code": reason.lower().replace(" ", "_"),
        }
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        with contextlib.suppress(OSError):
            client.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.app.note_refusal(int(status.split(" ", 1)[0]), len(body), began)

    def is_parent_alive(self) -> bool:
        """Say whether the process that started this one is there."""
        return bool(self.ppid == os.getppid())
