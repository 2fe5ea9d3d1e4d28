"""gunicorn's threaded worker with an event loop of its own.

gunicorn 27's own loop fails 14 of 36 tests of slow clients, hostile requests and confined machines, and loses 62
requests at 4 stops of tests/benchmarks/serving_campaign.py (see tests/benchmarks/RESULTS.md). Here a thread starts only
when a request's head has been read, and each wait has an end: pings do not wait behind slow clients. Connections that
do nothing make room for new ones. A stop first goes on answering, telling each client to close, and then sweeps the
port. Errors are JSON, are counted and quote nothing. See test_serve_slow_clients, …_stop and …_hostile.
"""

import contextlib
import logging
import selectors
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from bert_classifier.serving.connection import OUT_OF_RESOURCES, Connection, cut_reason, decide_once_to_close
from bert_classifier.serving.listening import refuse_new_connections
from bert_classifier.serving.loop_calls import LoopCalls
from bert_classifier.serving.refusals import ENDED, FAILED, SlowHeadError, check_head, refusal_of
from bert_classifier.serving.request_threads import RequestThreads

logger = logging.getLogger(__name__)

STOP_S = 20.0  # from SIGTERM on, for requests under way: SageMaker kills after 30
LAST_WORDS_S = 2.0  # after STOP_S, to answer what is left with 503
KEEPALIVE_S = 65  # longer than callers keep an unused connection, so that they close it first
_LAME_DUCK_S = 5.0  # maximum time from SIGTERM during which the port stays open
_QUIET_S = 0.5  # without a new request, after which the port is closed earlier
_SWEEP_S = 0.2  # from refusing new connections to closing the port
_LINGER_S = 2.0  # for the client to close its side after the last answer
_TEND_S = 0.05  # between looks at what has waited too long
_ACCEPTS_PER_TURN = 64


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no type information
    """One process: an event loop in the main thread, and threads for requests with a complete head."""

    SIGNALS = (signal.SIGABRT, signal.SIGCHLD)  # to reset: the server ignores the others

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = LoopCalls()
        self._waiting: dict[Connection, None] = {}  # for a request, longest-waiting first
        self._lingering: dict[Connection, None] = {}  # answered, until the client closes
        self._in_threads: set[Connection] = set()
        self._stopped_at: float | None = None
        self._last_arrival = 0.0
        self._tended_at = 0.0

    def get_thread_pool(self) -> RequestThreads:
        """Return the threads for requests."""
        return RequestThreads(self.cfg.threads)

    def init_process(self) -> None:
        """Start and serve; say why, where the start fails."""
        self.cfg.__dict__.update({name: each.get() for name, each in self.cfg.settings.items()})  # for speed
        try:
            super().init_process()
        except Exception as error:
            if self.booted:
                raise
            self.app.fail_start(error)

    def handle_exit(self, _signal: int, _frame: Any) -> None:
        """Begin to stop."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self.method_queue.defer(lambda: None)  # wakes the loop

    def run(self) -> None:
        """Serve until a stop signal or the parent's end, then stop in three steps: lame duck, finish, last words."""
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        while self._stopped_at is None and self.is_parent_alive():
            self.set_accept_enabled(self._has_room())
            self._turn(1.0)
        self._stop(self._stopped_at or time.monotonic())
        self.poller.close()
        self.method_queue.close()

    def _turn(self, longest: float) -> None:
        """Handle what happens within `longest` seconds."""
        self.wait_for_and_dispatch_events(timeout=longest)
        if time.monotonic() >= self._tended_at + _TEND_S:
            self._tend()

    def _tend(self) -> None:
        """Tell the parent that this process is alive, and give up what has waited too long."""
        self._tended_at = now = time.monotonic()
        self.notify()
        if self.tpool.has_failed:
            self.app.note_memory()
        for connection in [c for c in self._waiting if c.until <= now]:
            if connection.is_idle:
                self._drop(connection, self._waiting)
            else:
                self.app.note_cut("slow_head")
                connection.refusal = SlowHeadError()
                self._forget(connection, self._waiting)
                self._submit(connection)
        for connection in [c for c in self._lingering if c.until <= now]:
            self._drop(connection, self._lingering)
        self.app.supervise(self._answer_the_rest)

    # Stopping

    def _turn_while(self, condition: Callable[[], bool], until: float) -> None:
        while condition() and time.monotonic() < until:
            self._turn(0.05)

    def _stop(self, began: float) -> None:
        """Stop. If another worker follows, as the signal came to this process only, the kernel keeps callers for it."""
        self._stopped_at = self._last_arrival = began
        self.set_accept_enabled(True)
        self._turn_while(lambda: time.monotonic() - self._last_arrival < _QUIET_S, began + _LAME_DUCK_S)
        if self.app.outcome.is_last or not self.is_parent_alive():
            for listener in self.sockets:
                refuse_new_connections(listener)
            self._turn_while(lambda: True, time.monotonic() + _SWEEP_S)
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        for connection in list(self._waiting):
            if self._does_nothing(connection):
                self._forget(connection, self._waiting)
                self._linger(connection)
        self._turn_while(lambda: self.nr_conns > 0, began + STOP_S)
        if self.nr_conns > 0:
            logger.warning("%d connections did not end in time", self.nr_conns)
            self.app.abandon()
            self._turn_while(lambda: self.nr_conns > 0, began + STOP_S + LAST_WORDS_S)
            self._answer_the_rest()

    def _answer_the_rest(self) -> None:
        """Answer, just before the end, what threads have not answered, such as those that wait for a device."""
        for connection in self._in_threads:
            if connection.sock.answer_for(ENDED.answer):
                self.app.note_refusal(503, ENDED.code, len(ENDED.body), connection.sock.request_began)

    # Connections

    def _has_room(self) -> bool:
        """Say whether another connection may come, after making room among those that do nothing."""
        while self.nr_conns >= self.worker_connections:
            if not self._give_one_up():
                return False
        return True

    def _give_one_up(self) -> bool:
        """Close a connection that was answered, else one that does nothing, else the one slowest with its head."""
        if answered := next(iter(self._lingering), None):
            self._drop(answered, self._lingering)
            return True
        before = self.nr_conns
        for connection in list(self._waiting):
            if self._does_nothing(connection):
                self._drop(connection, self._waiting)
            if self.nr_conns < before:  # or its client turned out to have left
                return True
        if slowest := min(self._waiting, key=lambda connection: connection.until, default=None):
            self.app.note_cut("made_room")
            self._drop(slowest, self._waiting)
        return slowest is not None

    def _does_nothing(self, connection: Connection) -> bool:
        """Say whether a connection waits and nothing has come on it up to this moment."""
        if connection.is_idle:
            self._read(connection, connection.sock)
        return connection in self._waiting and connection.is_idle

    def accept(self, listener: Any) -> None:
        """Take new connections into the event loop."""
        for _ in range(_ACCEPTS_PER_TURN):
            if not self._has_room():
                return
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in OUT_OF_RESOURCES and not self._give_one_up():
                    time.sleep(0.02)  # as the listener wakes the loop again at once
                return
            self._last_arrival = time.monotonic()
            self.nr_conns += 1
            self._await_request(Connection(self.cfg, client, address, listener.getsockname()), KEEPALIVE_S)

    def _await_request(self, connection: Connection, seconds: float) -> None:
        """Read a request's head, and wait for what has not come yet."""
        connection.wait_until(time.monotonic() + seconds)
        try:
            is_whole = connection.read_head()
        except OSError:
            self._close(connection)
            return
        if is_whole:
            self._submit(connection)
        else:
            self._waiting[connection] = None
            self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._read, connection))

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
            self._forget(connection, self._waiting)
            self._submit(connection)

    def _submit(self, connection: Connection) -> None:
        self._last_arrival = time.monotonic()
        connection.hand_over()
        self._in_threads.add(connection)
        self.enqueue_req(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection after the client has received the response, without blocking."""
        try:
            connection.shut_down()
        except OSError:
            self._close(connection)
            return
        connection.until = time.monotonic() + _LINGER_S
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._discard, connection))
        self._lingering[connection] = None

    def _discard(self, connection: Connection, _sock: Any) -> None:
        try:
            if connection in self._lingering:
                connection.discard()
        except OSError:
            self._drop(connection, self._lingering)

    def _forget(self, connection: Connection, connections: dict[Connection, None]) -> None:
        del connections[connection]
        self.poller.unregister(connection.sock)

    def _drop(self, connection: Connection, connections: dict[Connection, None]) -> None:
        self._forget(connection, connections)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.nr_conns -= 1
        connection.close()

    # Requests: in a thread, but for finish_request

    def handle(self, conn: Connection) -> bool:
        """Answer the request whose head has been read, and say whether another may follow."""
        if conn.refusal is not None:
            self.handle_error(None, conn.sock, conn.client, conn.refusal)
            return False
        return bool(super().handle(conn))

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request."""
        check_head(req)
        req.path = req.path or "/"  # of "GET http://host"
        conn.sock.owes_continue, req._expected_100_continue = req._expected_100_continue, False
        decide_once_to_close(req, lambda: self._stopped_at is not None)
        req.body.force_close = req.force_close  # for a response before the body was read
        conn.sock.holds_head = True
        try:
            is_kept = super().handle_request(req, conn)
            conn.sock.write_held()
        except (StopIteration, OSError) as error:
            self.app.note_cut(cut_reason(error))
            raise
        finally:
            conn.sock.holds_head = False
        return is_kept

    def finish_request(self, conn: Connection, fs: "Future[bool]") -> None:
        """Take a connection back from its thread; runs in the main thread."""
        self._in_threads.discard(conn)
        if conn.sock.fileno() < 0:  # closed in the thread: the loop could not wait for it
            self.nr_conns -= 1
        elif not fs.cancelled() and fs.exception() is None and fs.result():
            self._await_request(conn, KEEPALIVE_S if self._stopped_at is None else _LINGER_S)
        else:
            self._linger(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer invalid HTTP in JSON; the log does not quote it."""
        refusal = refusal_of(exc)
        if refusal is FAILED:
            self.app.note_failure(exc)
        with contextlib.suppress(OSError):
            client.sendall(refusal.answer)
        self.app.note_refusal(int(refusal.status[:3]), refusal.code, len(refusal.body), client.request_began)
