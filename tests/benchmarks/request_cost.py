"""CPU time that the server's process takes per request, beside another version of it, taking turns within one run.

    PYTHONPATH=container:tests python tests/benchmarks/request_cost.py --beside OTHER_CHECKOUT/container

Both serve the same tiny model, so that nearly all of the time is HTTP's. The ratio counts.
"""

import argparse
import http.client
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import serving_process
from support.serving_callers import SMALL
from support.serving_process import CONTAINER, ServingProcess, cpu_seconds
from support.toy_artifact import make_artifact

CLIENTS = 4
_ROW = "river, apple and ocean\n"


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", type=Path, required=True, help="container folder of the other version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind and turn")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        make_artifact(Path(scratch) / "model")
        with (
            _served(CONTAINER, Path(scratch), "log-this") as this,
            _served(arguments.beside.resolve(), Path(scratch), "log-other") as other,
        ):
            _print_table(this, other, arguments.rounds, arguments.requests)
    return 0


def _served(container: Path, root: Path, log: str) -> ServingProcess:
    serving_process.CONTAINER = container
    server = ServingProcess(root, root / log)
    server.wait_until_ready()
    return server


def _print_table(this: ServingProcess, other: ServingProcess, rounds: int, count: int) -> None:
    print("| requests | this version, ms of CPU | the other, ms of CPU | ratio, median of the turns |")
    print("|---|---|---|---|")
    for name, ask in _KINDS.items():
        turns = [(_cost(this, ask, count), _cost(other, ask, count)) for _ in range(rounds)]
        mine, others = (statistics.median(column) for column in zip(*turns, strict=True))
        ratio = statistics.median(a / b for a, b in turns)
        print(f"| {name} | {mine:.3f} | {others:.3f} | {ratio:.2f} |", flush=True)


def _cost(server: ServingProcess, ask: Callable[[int, int], None], count: int) -> float:
    """Return the worker's CPU time per request in milliseconds."""
    before = cpu_seconds(server.worker)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, [server.port] * CLIENTS, [count // CLIENTS] * CLIENTS))
    return (cpu_seconds(server.worker) - before) / count * 1000


def _ask_kept(
    method: str, path: str, body: str | None, content_type: str = "application/json"
) -> Callable[[int, int], None]:
    def ask(port: int, count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(count):
            connection.request(method, path, body, {"Content-Type": content_type})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
        connection.close()

    return ask


def _ask_anew(method: str, path: str, body: str | None) -> Callable[[int, int], None]:
    ask = _ask_kept(method, path, body)

    def ask_anew(port: int, count: int) -> None:
        for _ in range(count):
            ask(port, 1)

    return ask_anew


_KINDS = {
    "/ping, kept connections": _ask_kept("GET", "/ping", None),
    "/ping, a connection each": _ask_anew("GET", "/ping", None),
    "/invocations of one text, kept connections": _ask_kept("POST", "/invocations", SMALL),
    "/invocations of one text as CSV, kept connections": _ask_kept("POST", "/invocations", _ROW, "text/csv"),
    "/invocations of 20 texts as CSV, kept connections": _ask_kept(
        "POST", "/invocations", 20 * _ROW, "text/csv"
    ),
    "/invocations of one text, a connection each": _ask_anew("POST", "/invocations", SMALL),
}

if __name__ == "__main__":
    raise SystemExit(main())
