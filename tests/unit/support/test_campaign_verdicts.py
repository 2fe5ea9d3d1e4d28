"""Campaigns and benchmarks in which nothing happened, or not what was intended, fail with the reason."""

import ast
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support import campaign_verdicts as verdicts
from support.patience import PATIENCE_S
from support.source_tree import ROOT, tree_of

FINE = {200: 64}
SECONDS = 0.5


@pytest.mark.parametrize(
    ("observed", "fault"),
    [
        ((0, [0, 0], [3, 1]), ""),
        ((1, [0, 0], [3, 1]), "1 requests were lost"),
        ((0, [0, -15], [3, 1]), "exit codes [-15]"),
        ((0, [0, 0], [3, 0]), "1 of 2 stops met no request under way"),
        ((0, [], []), "no server was stopped"),
    ],
)
def test_a_stop_shows_something_when_requests_were_under_way(observed, fault):
    """And when all of them were answered."""
    found = verdicts.faults_of_stops(*observed)
    assert found == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("observed", "fault"),
    [
        ((2, [10, 11], 20), ""),
        ((2, [10, 10], 20), "only 1 different workers were killed, not 2"),
        ((2, [10, 11], 0), "no request was under way at any kill"),
    ],
)
def test_a_kill_counts_when_it_hits_a_worker_at_work(observed, fault):
    """The same process twice is one kill."""
    assert verdicts.faults_of_kills(*observed) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("observed", "fault"),
    [
        ((100, {200: 100}, [500.0, 510.0, 505.0, 512.0], 1), ""),
        ((100, {200: 90, 429: 10}, [500.0, 510.0], 1), "only 90 of 100 requests were answered with 200"),
        ((0, {}, [500.0, 500.0], 1), "only 0 of 0 requests were answered with 200"),
        ((100, {200: 100}, [500.0, 510.0, 600.0, 700.0], 1), "memory grew from 510 to 700 MB"),
        ((100, {200: 100}, [500.0, 500.0], 2), "2 workers took turns"),
    ],
)
def test_a_soak_counts_answers_of_one_worker(observed, fault):
    """Refused requests do not wear a server out, and a new worker has forgotten the old one's memory."""
    assert verdicts.faults_of_soak(*observed) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"unloaded": {429: 64}}, "the capacity was measured on"),
        ({"loaded": {200: 100}}, "nothing was refused: it was no overload"),
        ({"loaded": {429: 100}}, "nothing was answered"),
        ({"loaded": {200: 50, 429: 49, 0: 1}}, "other answers than 200 and 429"),
        ({"loaded": {200: 1, 429: 1}}, "2 of 100 requests were sent"),
        ({"pings": {}}, "pings: {} of 20"),
        ({"pings": {200: 19, 0: 1}}, "pings: {200: 19, 0: 1} of 20"),
        ({"after": 503}, "the first request after it was answered with 503"),
    ],
)
def test_an_overload_is_one_when_something_is_refused(changed, fault):
    """Its capacity is that of answers, not of refusals."""
    given: dict[str, Any] = {
        "unloaded": FINE, "loaded": {200: 50, 429: 50}, "pings": {200: 20}, "wanted": (100, 20), "after": 200,
    }  # fmt: skip
    found = verdicts.faults_of_overload(**{**given, **changed})
    assert len(found) == bool(fault)
    assert fault in "".join(found)


@pytest.mark.parametrize(
    ("observed", "fault"),
    [
        ((200, 200, [0.1], {200: 1, 429: 9}), ""),
        ((3, 200, [0.1], {200: 1}), "only 3 of 200 slow clients were there"),
        ((200, 200, [], {200: 1}), "0 of 0 pings failed"),
        ((200, 200, [0.1, float("inf")], {200: 1}), "1 of 2 pings failed"),
        ((200, 200, [0.1], {429: 1}), "no request beside them was answered"),
        ((200, 200, [0.1], {200: 1, 500: 1}), "requests beside them: {200: 1, 500: 1}"),
    ],
)
def test_slow_clients_count_while_they_are_connected(observed, fault):
    """A server that cuts them all off has no slow clients."""
    assert verdicts.faults_of_slow_clients(*observed) == ([fault] if fault else [])


@pytest.fixture
def failing_server() -> Iterator[tuple[int, list[int]]]:
    """Give the port of a server that answers with each of a list of statuses in turn."""
    statuses = [500]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            statuses.append(statuses.pop(0))
            self.send_response(statuses[-1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that is gone."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], statuses
    server.shutdown()
    server.server_close()


def test_a_server_that_fails_has_no_rate(failing_server):
    """Errors are the fastest answers of all: a rate that counts them is the better, the worse the server."""
    port, statuses = failing_server
    refused = load(port)
    assert refused.returncode == 1
    assert "no request was answered with 200" in refused.stderr
    statuses[:] = [200, 500]
    found = json.loads(load(port).stdout)
    # Half of what is asked fails; failures count through the second of warm-up, too.
    assert 0 < found["rate"] * SECONDS < found["failures"]


def load(port: int) -> "subprocess.CompletedProcess[str]":
    """Run the load on a server, as the benchmark does."""
    command = [sys.executable, "-m", "benchmarks.serving_peers.load"]
    arguments = [str(port), str(os.getpid()), "1", str(SECONDS), "/invocations", '"TEXT"']
    return subprocess.run(
        [*command, *arguments],
        input='["a text"]',
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )


def test_the_benchmarks_find_what_they_import():
    """On the path that `make bench` gives them: one that cannot start ends the command before the others."""
    (path,) = re.findall(
        r"(?m)^\t@for script in .*tests/benchmarks.*PYTHONPATH=(\S+)", (ROOT / "Makefile").read_text()
    )
    given = {ROOT / folder for folder in path.split(":")}
    own = [ROOT / folder for folder in ("container", "docker", "local_test", "tests")]
    scripts = sorted((ROOT / "tests" / "benchmarks").glob("*.py"))
    assert scripts
    for script in scripts:
        for name in _imports_of(script):
            holding = {
                folder for folder in own if (folder / name).is_dir() or (folder / f"{name}.py").is_file()
            }
            assert not holding or holding & given, f"{script.name} imports {name}, which is in {holding}"


def test_make_bench_runs_what_needs_no_arguments():
    """A script that asks for some would end the loop with its usage."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    (left_out,) = re.findall(r"override NOT_BY_BENCH := (.*)", makefile)
    for script in (ROOT / "tests" / "benchmarks").glob("*.py"):
        calls = [node for node in ast.walk(tree_of(script)) if isinstance(node, ast.Call)]
        wanted = [
            call for call in calls if getattr(call.func, "attr", "") == "add_argument" and _is_asked_for(call)
        ]
        assert not wanted or script.name in left_out, script.name


def _is_asked_for(call: ast.Call) -> bool:
    """Whether an argument must be given: a flag that is required, or a word without a default."""
    given = {keyword.arg for keyword in call.keywords}
    first = call.args[0]
    is_flag = isinstance(first, ast.Constant) and str(first.value).startswith("-")
    return "required" in given if is_flag else not given & {"nargs", "default"}


def _imports_of(script: Path) -> set[str]:
    names = set()
    for node in ast.walk(tree_of(script)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names
