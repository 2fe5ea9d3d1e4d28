"""What a server must live through, many times over: stops under load, killed workers, overload, slow clients.

    PYTHONPATH=container:tests python tests/benchmarks/serving_campaign.py [--stops 50] [--kills 50] [--seconds 30]

It runs the real `serve`, with a tiny model, but for the overload with a pretrained one, and prints one line for each.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving_speed import REPOSITORY, make_model
from serving_process import ServingProcess
from toy_artifact import make_artifact

MODEL = REPOSITORY / "local_test" / "test_dir" / "input" / "data" / "model"
CALLERS = 16
REFUSED_PAUSE_S = 0.1
SLOW_CLIENTS = 200
OVERLOAD = 10  # times what the server can do
PINGS_A_SECOND = 20
SMALL = json.dumps("apple river")
LARGE = json.dumps(["apple river stone " * 5] * 16)  # so that 10 times the capacity is few connections


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=30, help="of overload, and of slow clients")
    parser.add_argument("--side-by-side", type=int, default=2, help="servers that are stopped at a time")
    parser.add_argument("--model", default=str(MODEL), help="pretrained encoder folder, for the overload")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_artifact(root / "model")
        if arguments.stops:
            print(stops(root, arguments.stops, arguments.side_by_side), flush=True)
        if arguments.kills:
            print(kills(root, arguments.kills), flush=True)
        if arguments.seconds:
            print(slow_clients(root, arguments.seconds), flush=True)
            make_model(arguments.model, root / "real" / "model")
            print(asyncio.run(overload(root / "real", arguments.seconds)), flush=True)


class Caller(threading.Thread):
    """A client that asks until told to end, or until its connection is refused; it counts what became of it."""

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
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
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


def _callers(port: int, goes_on: Callable[[], bool] | None = None) -> list[Caller]:
    """Start clients of both kinds and return when each has had answers."""
    callers = [Caller(port, keeps_connections=bool(i % 2), goes_on=goes_on) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    while min(caller.outcomes["200"] for caller in callers) < 3:
        time.sleep(0.01)
    return callers


def _sum(callers: Sequence[Caller]) -> Counter[str]:
    for caller in callers:
        caller.join(60)
    return sum((caller.outcomes for caller in callers), Counter())


def stops(root: Path, count: int, side_by_side: int) -> str:
    """Stop servers under load, and return what became of the requests."""

    def stop(number: int) -> tuple[Counter[str], int, float]:
        with ServingProcess(root, root / f"log-{number}") as server:
            server.wait_until_ready()
            callers = _callers(server.port)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            code = server.exit_code(60)
            return _sum(callers), code, time.monotonic() - began

    with ThreadPoolExecutor(side_by_side) as pool:
        results = list(pool.map(stop, range(count)))
    outcomes = sum((result[0] for result in results), Counter[str]())
    codes = sorted({result[1] for result in results})
    longest = max(result[2] for result in results)
    return f"{count} SIGTERMs, {CALLERS} clients: {_told(outcomes)}; exit codes {codes}; longest stop {longest:.1f} s"


def kills(root: Path, count: int) -> str:
    """Kill the worker of one server again and again, and return what became of the requests."""
    is_over = threading.Event()
    waits = []
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()
        callers = _callers(server.port, goes_on=lambda: not is_over.is_set())
        for _ in range(count):
            os.kill(server.worker, signal.SIGKILL)
            began = time.monotonic()
            before = sum(caller.outcomes["200"] for caller in callers)
            while sum(caller.outcomes["200"] for caller in callers) < before + 2 * CALLERS:
                time.sleep(0.01)
            waits.append(time.monotonic() - began)
        is_over.set()
        outcomes = _sum(callers)
    lost = outcomes["lost"] / count
    return (
        f"{count} workers killed, {CALLERS} clients: {_told(outcomes)}; {lost:.1f} lost a kill; "
        f"until answers came again: median {sorted(waits)[count // 2]:.1f} s, most {max(waits):.1f} s"
    )


def _told(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(outcomes.items())) + (
        "" if outcomes["lost"] else ", 0 lost"
    )


class Answer(NamedTuple):
    """What became of one request of the overload: status 0 where the connection failed."""

    status: int
    seconds: float


async def _request(port: int, head: str, body: str) -> Answer:
    """Send one request on a connection of its own."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        text = f"{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
        writer.write(f"{text}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        data = await reader.read(-1)
        writer.close()
    except OSError:
        return Answer(0, time.monotonic() - began)
    return Answer(int(data[9:12] or 0), time.monotonic() - began)


async def _at_rate(port: int, rate: float, seconds: float, head: str, body: str) -> list[Answer]:
    """Send requests at their times, whether or not earlier ones are answered."""
    tasks, start = [], time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(start + number / rate - time.monotonic())
        tasks.append(asyncio.create_task(_request(port, head, body)))
    return list(await asyncio.gather(*tasks))


def pings_at_rate(port: int, seconds: float) -> list[Answer]:
    """Ping steadily."""
    return asyncio.run(_at_rate(port, PINGS_A_SECOND, seconds, "GET /ping", ""))


async def overload(root: Path, seconds: float) -> str:
    """Ask for ten times what the server can do, and return how it and the requests fared."""
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()
        invoke = "POST /invocations"
        for _ in range(3):  # warm, so that memory's first growth is not counted
            unloaded = await asyncio.gather(*(_request(server.port, invoke, LARGE) for _ in range(16)))
        began = time.monotonic()
        for _ in range(4):
            await asyncio.gather(*(_request(server.port, invoke, LARGE) for _ in range(16)))
        capacity = 64 / (time.monotonic() - began)
        rss = [_rss_mb(server.worker)]
        watch = asyncio.create_task(_watch_memory(server.worker, rss))
        with ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn")
        ) as pinger:  # not behind the load's own queue
            pinging = asyncio.get_running_loop().run_in_executor(pinger, pings_at_rate, server.port, seconds)
            loaded = await _at_rate(server.port, OVERLOAD * capacity, seconds, invoke, LARGE)
            pings = await pinging
        watch.cancel()
        after = await _request(server.port, invoke, LARGE)
    accepted = [answer.seconds for answer in loaded if answer.status == 200]
    refused = [answer.seconds for answer in loaded if answer.status == 429]
    statuses = Counter(answer.status for answer in loaded)
    half = len(rss) // 2
    return (
        f"overload {OVERLOAD} × {capacity:.0f} requests/s for {seconds:g} s: {dict(statuses)}; "
        f"accepted p50 {_quantile(accepted, 0.5):.0f} p99 {_quantile(accepted, 0.99):.0f} ms "
        f"(16 at once, unloaded: {_quantile([a.seconds for a in unloaded], 0.5):.0f} ms); "
        f"refused p99 {_quantile(refused, 0.99):.0f} ms; "
        f"/ping {dict(Counter(p.status for p in pings))} p50 {_quantile([p.seconds for p in pings], 0.5):.0f} "
        f"p99 {_quantile([p.seconds for p in pings], 0.99):.0f} ms; "
        f"memory {rss[0]:.0f} MB, most in the first half {max(rss[: half or 1]):.0f}, "
        f"in the second {max(rss[half:]):.0f}; "
        f"first request after it: {after.status} in {after.seconds * 1000:.0f} ms"
    )


async def _watch_memory(worker: int, rss: list[float]) -> None:
    while True:
        await asyncio.sleep(0.5)
        rss.append(_rss_mb(worker))


def _rss_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def _quantile(seconds: Sequence[float], share: float) -> float:
    """Return a quantile in milliseconds, NaN of nothing."""
    return sorted(seconds)[int(len(seconds) * share)] * 1000 if seconds else float("nan")


def slow_clients(root: Path, seconds: float) -> str:
    """Have many clients send a byte a second, and return how long pings and requests beside them took."""
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
    )
    pings, requests = [], Counter[int]()
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(SLOW_CLIENTS)]
        for number, connection in enumerate(slow):
            connection.sendall((head, head[:30], b"")[number % 3])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for connection in slow:
                _trickle(connection)
            for _ in range(10):
                began = time.monotonic()
                status = server.ping()
                pings.append(time.monotonic() - began if status == 200 else float("inf"))
                requests[server.invoke(SMALL)[0]] += 1
                time.sleep(0.08)
        for connection in slow:
            connection.close()
    return (
        f"{SLOW_CLIENTS} slow clients for {seconds:g} s: {len(pings)} pings, p50 {_quantile(pings, 0.5):.0f} ms, "
        f"longest {max(pings) * 1000:.0f} ms; requests beside them: {dict(requests)}"
    )


def _trickle(connection: socket.socket) -> None:
    try:
        connection.send(b"a")
    except OSError:  # the server has cut it off
        return


if __name__ == "__main__":
    main()
