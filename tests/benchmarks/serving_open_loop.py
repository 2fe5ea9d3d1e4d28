"""How long requests take that come at random moments, at half of a server's capacity, beside other servers.

    PYTHONPATH=container:tests python tests/benchmarks/serving_open_loop.py --data FILE.csv [--peers PEERS]

A client that waits for its answer before it asks again hides a server's pauses. Here requests come at Poisson times, at
half of the rate that 16 such clients reached just before, whether or not earlier ones are answered; latency counts from
the moment at which a request was to be sent. Options are those of serving_speed.py.
"""

import itertools
import random
import selectors
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.serving_peers.load import Client, requests_of
from benchmarks.serving_speed import compared, load, parse_arguments

CLIENTS = 16  # by which the capacity is found
SHARE = 0.5  # of the capacity
PATIENCE_S = 60


class Turn(NamedTuple):
    """One server's turn: capacity in requests/s, quantiles of the latency in milliseconds, requests not answered."""

    capacity: float
    median: float
    p99: float
    p999: float
    failures: int


def main() -> int:
    """Measure and print a table; return 1 when a request failed."""
    arguments = parse_arguments()
    with compared(arguments) as (_, texts, servers):
        turns: dict[str, list[Turn]] = {name: [] for name in servers}
        for number in range(arguments.rounds):
            for name, (server, running) in servers.items():
                capacity = load(server, running, CLIENTS, arguments.seconds, texts)["rate"]
                requests = requests_of(texts, server.path, server.body)
                moments = moments_of(SHARE * capacity, 3 * arguments.seconds, seed=number)
                latencies, failures = measure(running.port, requests, moments)
                turns[name].append(turn_of(capacity, latencies, failures))
                print(f"{name}: {turns[name][-1]}", file=sys.stderr, flush=True)
    print_report(turns)
    return int(any(turn.failures for of_server in turns.values() for turn in of_server))


def moments_of(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the moments at which requests come, in seconds from the start: a Poisson process."""
    draws, moments, now = random.Random(seed), list[float](), 0.0
    while (now := now + draws.expovariate(rate)) < seconds:
        moments.append(now)
    return moments


def measure(port: int, requests: Sequence[bytes], moments: Sequence[float]) -> tuple[list[float], int]:
    """Send a request at each moment, on a connection that is free; return seconds from the moments on, and failures."""
    waiting, free, due = selectors.DefaultSelector(), list[Client](), dict[Client, float]()
    latencies, failures, bodies = list[float](), 0, itertools.cycle(requests)
    left, start = list(reversed(moments)), time.perf_counter()
    while left or due:
        now = time.perf_counter() - start
        while left and left[-1] <= now:
            client = free.pop() if free else Client(port, waiting)
            due[client] = left.pop()
            client.ask(next(bodies))
        pause = left[-1] - (time.perf_counter() - start) if left else PATIENCE_S
        ready = waiting.select(max(0.0, pause)) if due or free else time.sleep(max(0.0, pause))
        if not left and not ready:
            break  # nothing has come for PATIENCE_S
        for key, _ in ready or ():
            if key.data in due and (result := key.data.read()) is not None:
                latencies.append(time.perf_counter() - start - due.pop(key.data))
                failures += not result[1]
                free.append(key.data)
    for client in (*free, *due):
        client.close()
    return latencies, failures + len(due)


def turn_of(capacity: float, latencies: Sequence[float], failures: int) -> Turn:
    """Return a turn's figures."""
    ranked = sorted(latencies)
    median, p99, p999 = (ranked[int(len(ranked) * share)] * 1000 for share in (0.5, 0.99, 0.999))
    return Turn(capacity, median, p99, p999, failures)


def print_report(turns: dict[str, list[Turn]]) -> None:
    """Print medians over the rounds."""
    print("| server | capacity, requests/s | p50 ms | p99 ms | p99.9 ms | failures |")
    print("|---" * 6 + "|")
    for name, of_server in turns.items():
        columns = dict(zip(Turn._fields, zip(*of_server, strict=True), strict=True))
        figures = (statistics.median(columns[each]) for each in ("capacity", "median", "p99", "p999"))
        print(f"| {name} | {' | '.join(f'{each:.1f}' for each in figures)} | {sum(columns['failures'])} |")


if __name__ == "__main__":
    raise SystemExit(main())
