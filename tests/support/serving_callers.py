"""Clients that ask a server without end, and count what becomes of each request."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from support.patience import PATIENCE_S

CALLERS = 16
REFUSED_PAUSE_S = 0.1
SMALL = json.dumps("apple river")


class Caller(threading.Thread):
    """A client that sends requests until it is stopped or its connection is refused, and counts the outcomes."""

    def __init__(self, port: int, *, keeps_connections: bool, goes_on: Callable[[], bool] | None) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._keeps = keeps_connections
        self._goes_on = goes_on  # None: until refused
        self.outcomes: Counter[str] = Counter()  # a status, "lost" after being sent, or "refused"

    def run(self) -> None:
        """Ask."""
        connection: http.client.HTTPConnection | None = None
        while self._goes_on is None or self._goes_on():
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
                try:
                    connection.connect()
                except OSError:
                    self.outcomes["refused"] += 1
                    connection = None
                    if self._goes_on is None:
                        return
                    time.sleep(REFUSED_PAUSE_S)
                    continue
            if not self._ask(connection):
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        """Send one request, and say whether the connection can be used again."""
        try:
            connection.request("POST", "/invocations", SMALL, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self.outcomes["lost"] += 1
            return False
        self.outcomes[str(response.status)] += 1
        time.sleep(int(response.headers["Retry-After"] or 0))
        return self._keeps and response.headers["Connection"] != "close"


def start_callers(port: int, goes_on: Callable[[], bool] | None = None) -> list[Caller]:
    """Start clients of both kinds and return when each has had answers."""
    callers = [Caller(port, keeps_connections=bool(i % 2), goes_on=goes_on) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + PATIENCE_S
    while min(caller.outcomes["200"] for caller in callers) < 3:
        assert time.monotonic() < deadline, f"not every client is answered: {[c.outcomes for c in callers]}"
        time.sleep(0.01)
    return callers


def outcomes_of(callers: Sequence[Caller]) -> Counter[str]:
    """Wait for the callers' end and return what became of all their requests."""
    for caller in callers:
        caller.join(PATIENCE_S)
        assert not caller.is_alive(), "a client still waits: what becomes of its request is not known"
    return sum((caller.outcomes for caller in callers), Counter())
