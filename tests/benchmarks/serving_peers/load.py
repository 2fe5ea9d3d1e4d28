"""Load on a server: threads that each ask on one kept connection. Run as a program, so that it is a process of its own.

    python tests/benchmarks/serving_peers/load.py PORT CLIENTS SECONDS PATH FIELD < texts, as a JSON list

Prints a JSON object: requests answered a second, median milliseconds, and requests that failed.
"""

import http.client
import itertools
import json
import statistics
import sys
import threading
import time

WARM_UP_S = 1.0


class Client(threading.Thread):
    """Asks one text after the other until the time is up."""

    def __init__(self, port: int, bodies: "itertools.cycle[bytes]", path: str, until: float) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._bodies = bodies
        self._path = path
        self._until = until
        self.times: list[tuple[float, float]] = []  # when each answer came, and after how long
        self.failures = 0

    def run(self) -> None:
        """Ask."""
        headers = {"Content-Type": "application/json"}
        while (began := time.perf_counter()) < self._until:
            self._connection.request("POST", self._path, next(self._bodies), headers)
            response = self._connection.getresponse()
            response.read()
            ended = time.perf_counter()
            self.failures += response.status != 200
            self.times.append((ended, ended - began))
        self._connection.close()


def main() -> None:
    """Load the server and print what came of it."""
    port, clients, seconds, path, field = sys.argv[1:]
    bodies = itertools.cycle([json.dumps({field: text}).encode() for text in json.load(sys.stdin)])
    start = time.perf_counter() + WARM_UP_S
    threads = [Client(int(port), bodies, path, start + float(seconds)) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [took for thread in threads for at, took in thread.times if at >= start]
    result = {
        "rate": len(times) / float(seconds),
        "median_ms": statistics.median(times) * 1000,
        "failures": sum(thread.failures for thread in threads),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
