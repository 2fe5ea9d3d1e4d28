"""What HTTP costs a request, beside Flask under gunicorn's own threaded worker, taking turns within one run.

    PYTHONPATH=container:tests python tests/benchmarks/http_cost.py [--beside OTHER_CHECKOUT/container]

The model answers at once. CPU time is the worker's, of all its threads; the ratio to Flask in the same turn counts.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from selectors import DefaultSelector
from typing import NamedTuple

from benchmarks.serving_peers.load import Client, requests_of
from benchmarks.serving_peers.servers import end_with_parent
from support.free_port import free_port
from support.serving_process import CONTAINER
from support.toy_artifact import make_artifact

PEERS = Path(__file__).parent / "serving_peers"
_STOCK = (
    "--worker-class",
    "gthread",
    "--threads",
    "80",
    "--worker-connections",
    "1080",
    "--keep-alive",
    "65",
)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Turn(NamedTuple):
    """One turn: CPU and wall time per request, median and 99th percentile of the answers' times, all in ms."""

    cpu: float
    wall: float
    median: float
    p99: float


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", type=Path, help="container folder of another version")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3000, help="of each kind and turn")
    parser.add_argument("--silent", action="store_true", help="also this version without its access log")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as servers:
        make_artifact(Path(scratch) / "model")
        kinds: dict[str, tuple[Path, dict[str, str]]] = {"this version": (CONTAINER, {})}
        if arguments.silent:
            kinds["without access log"] = (CONTAINER, {"SERVING_ACCESS_LOG": "false"})
        if arguments.beside:
            kinds["the other"] = (arguments.beside.resolve(), {})
        ports = {
            name: servers.enter_context(_serve(container, Path(scratch), **settings))
            for name, (container, settings) in kinds.items()
        }
        ports["Flask, stock gthread"] = servers.enter_context(_flask())
        _print_table(ports, arguments.clients, arguments.rounds, arguments.requests)
    return 0


@contextmanager
def _serve(container: Path, root: Path, **settings: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    environ = {
        "PATH": os.defpath, "PYTHONPATH": str(container), "PYTHONDONTWRITEBYTECODE": "1", "ML_ROOT": str(root),
        "SERVING_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": str(port), **settings,
    }  # fmt: skip
    with _running([sys.executable, str(PEERS / "at_once.py")], environ, port) as worker:
        yield port, worker


@contextmanager
def _flask() -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", *_STOCK, "--bind", f"127.0.0.1:{port}", "flask_at_once:app"]
    with _running(command, {"PATH": os.defpath, "PYTHONPATH": str(PEERS)}, port) as worker:
        yield port, worker


@contextmanager
def _running(command: Sequence[str], environ: dict[str, str], port: int) -> Iterator[int]:
    """Start a server, wait for its first answer, and yield its worker's process id."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log, preexec_fn=end_with_parent)
        try:
            until = time.monotonic() + 120
            while not _is_ready(port):
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise TimeoutError(log.read().decode())
                time.sleep(0.1)
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
            yield int(children.split()[0])
        finally:
            server.terminate()
            server.wait(30)


def _is_ready(port: int) -> bool:
    try:
        _turn(port, None, 1, 1, keeps=True)
    except (OSError, AssertionError):
        return False
    return True


def _print_table(ports: dict[str, tuple[int, int]], clients: Sequence[int], rounds: int, count: int) -> None:
    print("| clients | connections | server | CPU ms | of Flask's | wall ms | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    for keeps in (True, False):
        for number in clients:
            turns: dict[str, list[Turn]] = {name: [] for name in ports}
            for _ in range(rounds):
                for name, (port, worker) in ports.items():
                    turns[name].append(_turn(port, worker, number, count, keeps=keeps))
            *_, flask = turns.values()
            for name, own in turns.items():
                ratio = statistics.median(a.cpu / b.cpu for a, b in zip(own, flask, strict=True))
                cpu, wall, median, p99 = (statistics.median(column) for column in zip(*own, strict=True))
                print(
                    f"| {number} | {'kept' if keeps else 'one each'} | {name} | {cpu:.3f} | {ratio:.2f} "
                    f"| {wall:.2f} | {median:.2f} | {p99:.2f} |",
                    flush=True,
                )


def _turn(port: int, worker: int | None, clients: int, count: int, *, keeps: bool) -> Turn:
    """Send `count` requests from `clients` at a time.

    Raises:
        AssertionError: when one is not answered with 200.
    """
    (request,) = requests_of(["apple river"], "/invocations", '"TEXT"')
    if not keeps:
        request = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    cpu, began = _cpu_seconds(worker), time.perf_counter()
    with DefaultSelector() as waiting:
        everyone = [Client(port, waiting) for _ in range(clients)]
        for client in everyone:
            client.ask(request)
        times = sorted(itertools.islice(_answers(waiting, request, count - clients), count))
        for client in everyone:
            client.close()
    wall, cpu = time.perf_counter() - began, _cpu_seconds(worker) - cpu
    return Turn(cpu / count * 1000, wall / count * 1000, times[count // 2], times[count * 99 // 100])


def _answers(waiting: DefaultSelector, request: bytes, further: int) -> Iterator[float]:
    """Yield each answer's time in ms, and send `further` requests, each where one has been answered."""
    while True:
        for key, _ in waiting.select(60):
            if (result := key.data.read()) is None:
                continue
            assert result[1], "a request was not answered with 200"
            yield result[0] * 1000
            if further > 0:
                further -= 1
                key.data.ask(request)


def _cpu_seconds(process: int | None) -> float:
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


if __name__ == "__main__":
    raise SystemExit(main())
