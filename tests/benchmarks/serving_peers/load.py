"""Load on a server: clients that each ask on one kept connection, at next to no cost to the cores they share with it.

    PYTHONPATH=tests python -m benchmarks.serving_peers.load PORT PID CLIENTS SECONDS PATH BODY < texts, as a JSON list

BODY is a JSON document in which "TEXT" stands for the text, PID the server's first process, the leader of its session.
Prints a JSON object: requests answered with 200 a second, their median and 99th percentile in milliseconds, the CPU
time of the server's processes for an answer (warm-up included), and requests that failed. One thread waits for all
sockets; a request is a string made beforehand, and of an answer only the status and the length are read.
"""

import itertools
import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Sequence

from benchmarks.serving_peers.session import cpu_seconds

WARM_UP_S = 1.0
PATIENCE_S = 60
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Client:
    """One connection with one request under way; a new one whenever the server closes it."""

    def __init__(self, port: int, waiting: selectors.BaseSelector) -> None:
        self._port = port
        self._waiting = waiting
        self._socket: socket.socket | None = None
        self._began = 0.0
        self._answer = b""

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._answer = b""
        self._began = time.perf_counter()
        self._connected().sendall(request)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._waiting.register(self._socket, selectors.EVENT_READ, self)
        return self._socket

    def read(self) -> tuple[float, bool] | None:
        """Take what came; return the seconds and whether it is a 200 once the answer is whole.

        Raises:
            ConnectionError: when the server has closed, or does not say how long its answer is.
        """
        micro_batch = self._connected().recv(65536)
        self._answer += micro_batch
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not micro_batch:
            raise ConnectionError(f"closed after {self._answer[:200]!r}")
        if not end:
            return None
        length = _LENGTH.search(head)
        if length is None:
            raise ConnectionError(f"no length: {head!r}")
        if len(body) < int(length[1]):
            return None
        if _CLOSES.search(head):
            self.close()
        return time.perf_counter() - self._began, head.split(b" ", 2)[1] == b"200"

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._waiting.unregister(self._socket)
            self._socket.close()
            self._socket = None


def requests_of(texts: Sequence[str], path: str, template: str) -> list[bytes]:
    """Return one request a text."""
    requests = []
    for text in texts:
        body = template.replace('"TEXT"', json.dumps(text)).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return requests


def measure(port: int, pid: int, clients: int, seconds: float, requests: list[bytes]) -> dict[str, float]:
    """Ask for `seconds` after a warm-up and return what came of it."""
    queue = itertools.cycle(requests)
    times, failures, answers = [], 0, 0
    with selectors.DefaultSelector() as waiting:
        cpu = cpu_seconds(pid)
        for client in [Client(port, waiting) for _ in range(clients)]:
            client.ask(next(queue))
        start = time.perf_counter() + WARM_UP_S
        under_way = clients
        while under_way and (ready := waiting.select(PATIENCE_S)):
            for key, _ in ready:
                result = key.data.read()
                if result is None:
                    continue
                now = time.perf_counter()
                answers += 1
                failures += not result[1]
                if start <= now < start + seconds and result[1]:
                    times.append(result[0])
                if now < start + seconds:
                    key.data.ask(next(queue))
                else:
                    key.data.close()
                    under_way -= 1
        cpu = cpu_seconds(pid) - cpu  # of all answers: what has been computed is whole
    if not times:
        raise SystemExit(f"no request was answered with 200, {failures} were refused")
    times.sort()
    return {
        "rate": len(times) / seconds,
        "median_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "cpu_ms": cpu / answers * 1000,
        "failures": failures,
    }


if __name__ == "__main__":
    port, pid, clients, seconds, path, template = sys.argv[1:]
    requests = requests_of(json.load(sys.stdin), path, template)
    print(json.dumps(measure(int(port), int(pid), int(clients), float(seconds), requests)))
