"""The servers that a benchmark compares end with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.patience import PATIENCE_S

TESTS = Path(__file__).parents[2]
SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
BENCHMARK = """
import pathlib, sys, time
from benchmarks.serving_peers.servers import Server, started
with started(Server([sys.executable, "-c", sys.argv[2], "{port}"]), pathlib.Path(sys.argv[1])) as running:
    print(running.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_a_benchmark_that_is_ended(tmp_path, number):
    """`timeout` sends these signals, and a server left over would take the cores of the next measurement."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "training.json").write_text('{"max_seq_length": 64}')
    with subprocess.Popen(
        [sys.executable, "-c", BENCHMARK, tmp_path, SERVER],
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'container'}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as benchmark:
        assert benchmark.stdout is not None
        server = Path("/proc") / benchmark.stdout.readline().strip()
        assert server.is_dir()
        benchmark.send_signal(number)
    until = time.monotonic() + PATIENCE_S
    while _runs(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(server)


def _runs(process: Path) -> bool:
    """Return whether a process is there and no zombie, which the system's first process may be slow to take."""
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
