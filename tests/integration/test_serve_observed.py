"""What an operator sees of the real server: the access log's lines and /metrics."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.patience import PATIENCE_S
from support.raw_http import exchange, read_answer, status_of
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("observed")
    make_artifact(folder / "model")
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[ServingProcess]:
    with ServingProcess(model, model / "log") as process:
        process.wait_until_ready()
        yield process


def _counts(server: ServingProcess) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(server.ask("GET", "/metrics")[1].decode())
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def _next_line(server: ServingProcess, act: Callable[[], object]) -> dict[str, Any]:
    """Return the entry of the access log that something leads to; it is written after the answer."""
    before = len(_lines(server))
    act()
    while len(lines := _lines(server)) == before:
        time.sleep(0.01)
    (entry,) = map(json.loads, lines[before:])
    return entry


def _lines(server: ServingProcess) -> list[str]:
    return [
        line for line in server.log.splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")
    ]


def _send_in_two_parts(port: int) -> int:
    """Send a request whose head comes in two parts, and return the status of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(HEAD)
        time.sleep(0.3)
        connection.sendall(b"\r\napple")
        return status_of(read_answer(connection))


def test_time_counts_from_the_first_byte(server: ServingProcess) -> None:
    """While the rest of the head is awaited, the caller waits too."""
    before = _counts(server)
    entry = _next_line(server, lambda: _send_in_two_parts(server.port))
    assert (entry["status"], entry["path"]) == (200, "/invocations")
    assert entry["milliseconds"] >= 300
    key = ("bert_request_seconds_sum", "/invocations", "2xx")
    assert _counts(server)[key] - before[key] >= 0.3


def test_a_request_that_is_not_http(server: ServingProcess) -> None:
    """It has a line with its code, and counts among the parser's refusals and the other routes."""
    before = _counts(server)
    entry = _next_line(server, lambda: exchange(server.port, b"canary\r\n\r\n"))
    assert (entry["method"], entry["path"], entry["status"], entry["code"]) == (
        "-",
        "-",
        400,
        "bad_request_line",
    )
    assert "canary" not in json.dumps(entry)
    after = _counts(server)
    for key in (
        ("bert_parser_refusals_total", "bad_request_line"),
        ("bert_request_seconds_count", "other", "4xx"),
    ):
        assert after[key] - before.get(key, 0) == 1
    assert after["bert_refusals_total", "other"] == 0


def test_counts_begin_anew_with_another_worker(model: Path, tmp_path: Path) -> None:
    """The start tells when, so that nobody takes it for traffic that vanished; the model is described again."""
    with ServingProcess(model, tmp_path / "log") as process:
        process.wait_until_ready()
        process.invoke('["apple"]')
        before, worker = _counts(process), process.worker
        assert before["bert_records_total", "classified"] == 1
        os.kill(worker, signal.SIGKILL)
        while process.worker == worker:
            time.sleep(0.01)
        process.wait_until_ready()
        after = _counts(process)
        assert after["bert_records_total", "classified"] == 0
        assert after["bert_start_time_seconds",] > before["bert_start_time_seconds",]
        assert [key for key in after if key[0] == "bert_model_info"] == [
            key for key in before if key[0] == "bert_model_info"
        ]
