"""What a server must live through, many times over: stops under load, killed workers, overload, slow clients.

    PYTHONPATH=container:tests python tests/benchmarks/serving_campaign.py [--stops 50] [--kills 50] …

It runs the real `serve`, with a tiny model, but for the overload with a pretrained one, and prints one line for each.
Exit status: 0 all of it was met and borne; 1 something was not, and the line says which.
"""

import argparse
import asyncio
import http.client
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving_speed import REPOSITORY, make_model
from support import campaign_verdicts as verdicts
from support.campaign_verdicts import Campaign
from support.serving_callers import CALLERS, SMALL, outcomes_of, start_callers
from support.serving_process import ServingProcess, cpu_seconds
from support.toy_artifact import make_artifact

MODEL = REPOSITORY / "local_test" / "test_dir" / "input" / "data" / "model"
SLOW_CLIENTS = 200
OVERLOAD = 10  # times what the server can do
PINGS_A_SECOND = 20
BACK_S = 300  # until a killed worker's successor must answer
LARGE = json.dumps(["apple river stone " * 5] * 16)  # so that 10 times the capacity is few connections


def main() -> int:
    """Run what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=30, help="of overload, and of slow clients")
    parser.add_argument("--soak", type=int, default=100_000, help="requests that memory must not grow by")
    parser.add_argument("--side-by-side", type=int, default=2, help="servers that are stopped at a time")
    parser.add_argument("--model", default=str(MODEL), help="pretrained encoder folder, for the overload")
    parser.add_argument("--task", default="single", help="of the tiny model: single or multi")
    arguments, faults = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_artifact(root / "model", task=arguments.task)
        if arguments.stops:
            faults += _shown(stops(root, arguments.stops, arguments.side_by_side))
        if arguments.kills:
            faults += _shown(kills(root, arguments.kills))
        if arguments.soak:
            faults += _shown(soak(root, arguments.soak))
        if arguments.seconds:
            faults += _shown(slow_clients(root, arguments.seconds))
            make_model(arguments.model, root / "real" / "model")
            faults += _shown(asyncio.run(overload(root / "real", arguments.seconds)))
    return int(bool(faults))


def _shown(campaign: Campaign) -> list[str]:
    """Print a campaign, and return what is wrong with it."""
    print(campaign.summary, *(f"  FAULT: {fault}" for fault in campaign.faults), sep="\n", flush=True)
    return campaign.faults


def stops(root: Path, count: int, side_by_side: int) -> Campaign:
    """Stop servers under load, and return what became of the requests."""

    def stop(number: int) -> tuple[Counter[str], int, float, int]:
        with ServingProcess(root, root / f"log-{number}") as server:
            server.wait_until_ready()
            callers = start_callers(server.port)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            before = sum(caller.outcomes["200"] for caller in callers)
            code, seconds = server.exit_code(60), time.monotonic() - began
            return (outcomes := outcomes_of(callers)), code, seconds, outcomes["200"] - before

    with ThreadPoolExecutor(side_by_side) as pool:
        results = list(pool.map(stop, range(count)))
    outcomes = sum((result[0] for result in results), Counter[str]())
    _, codes, seconds, answered_after = zip(*results, strict=True)
    summary = f"{count} SIGTERMs, {CALLERS} clients: {_counts(outcomes)}; exit codes {sorted(set(codes))}; "
    summary += f"longest stop {max(seconds):.1f} s"
    return Campaign(summary, verdicts.faults_of_stops(outcomes["lost"], codes, answered_after))


def kills(root: Path, count: int) -> Campaign:
    """Kill the worker of one server again and again, and return what became of the requests."""
    is_over = threading.Event()
    waits, workers = [], []
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()
        callers = start_callers(server.port, goes_on=lambda: not is_over.is_set())
        for _ in range(count):
            workers.append(server.worker)
            os.kill(workers[-1], signal.SIGKILL)
            began = time.monotonic()
            before = sum(caller.outcomes["200"] for caller in callers)
            while sum(caller.outcomes["200"] for caller in callers) < before + 2 * CALLERS:
                if time.monotonic() > began + BACK_S:
                    return Campaign(
                        f"{len(workers)} workers killed", [f"no answers came again within {BACK_S} s"]
                    )
                time.sleep(0.01)
            waits.append(time.monotonic() - began)
        is_over.set()
        outcomes = outcomes_of(callers)
    lost = outcomes["lost"] / count
    summary = (
        f"{count} workers killed, {CALLERS} clients: {_counts(outcomes)}; {lost:.1f} lost per kill; "
        f"until answers came again: median {sorted(waits)[count // 2]:.1f} s, most {max(waits):.1f} s"
    )
    return Campaign(summary, verdicts.faults_of_kills(count, workers, outcomes["lost"]))


def soak(root: Path, count: int) -> Campaign:
    """Send many requests of several sizes, and return how the worker's memory went."""
    sizes = random.Random(0)
    bodies = [
        json.dumps(["apple river stone " * sizes.randint(1, 60)] * sizes.randint(1, 12)) for _ in range(200)
    ]
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()

        def ask(number: int) -> int:
            try:
                return server.invoke(bodies[number % len(bodies)])[0]
            except (OSError, http.client.HTTPException):
                return 0

        rss, statuses, workers = [], Counter[int](), set()
        cpu = [cpu_seconds(server.worker)]
        with ThreadPoolExecutor(CALLERS) as pool:
            for tenth in range(10):
                numbers = range(tenth * count // 10, (tenth + 1) * count // 10)
                statuses.update(pool.map(ask, numbers))
                workers.add(server.worker)
                rss.append(_rss_mb(server.worker))
                cpu.append(cpu_seconds(server.worker))
    tenths = ", ".join(f"{memory:.0f}" for memory in rss)
    costs = ", ".join(f"{(b - a) * 10_000 / count:.2f}" for a, b in itertools.pairwise(cpu))
    summary = f"{count} requests of 1 to 12 texts: {dict(statuses)}; memory after each tenth, MB: {tenths}"
    summary += f"; CPU per request in each tenth, ms: {costs}"
    return Campaign(summary, verdicts.faults_of_soak(count, statuses, rss, len(workers)))


def _counts(outcomes: Counter[str]) -> str:
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


async def overload(root: Path, seconds: float) -> Campaign:
    """Ask for ten times what the server can do, and return how it and the requests fared."""
    with ServingProcess(root, root / "log") as server:
        server.wait_until_ready()
        invoke = "POST /invocations"
        for _ in range(3):  # warm, so that memory's first growth is not counted
            unloaded = await asyncio.gather(*(_request(server.port, invoke, LARGE) for _ in range(16)))
        began = time.monotonic()
        for _ in range(4):
            unloaded += await asyncio.gather(*(_request(server.port, invoke, LARGE) for _ in range(16)))
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
    faults = verdicts.faults_of_overload(
        Counter(answer.status for answer in unloaded), statuses, Counter(ping.status for ping in pings),
        (int(OVERLOAD * capacity * seconds), int(PINGS_A_SECOND * seconds)), after.status,
    )  # fmt: skip
    summary = (
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
    return Campaign(summary, faults)


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


def slow_clients(root: Path, seconds: float) -> Campaign:
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
        until, connected = time.monotonic() + seconds, []
        while time.monotonic() < until:
            connected.append(sum(map(_trickle, slow)))
            for _ in range(10):
                began = time.monotonic()
                status = server.ping()
                pings.append(time.monotonic() - began if status == 200 else float("inf"))
                requests[server.invoke(SMALL)[0]] += 1
                time.sleep(0.08)
        for connection in slow:
            connection.close()
    summary = (
        f"{SLOW_CLIENTS} slow clients for {seconds:g} s ({connected[0]} at first, {connected[-1]} in the end): "
        f"{len(pings)} pings, p50 {_quantile(pings, 0.5):.0f} ms, longest {max(pings) * 1000:.0f} ms; "
        f"requests beside them: {dict(requests)}"
    )
    return Campaign(summary, verdicts.faults_of_slow_clients(connected[0], SLOW_CLIENTS, pings, requests))


def _trickle(connection: socket.socket) -> bool:
    """Send a byte; say whether the server still takes it."""
    try:
        connection.send(b"a")
    except OSError:  # the server has cut it off
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
