"""Thousands of hostile requests to the real server, and the classic ways to smuggle one past a front."""

import concurrent.futures
import csv
import json
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.answers import check_answer, check_error
from support.hostile_bodies import CANARY
from support.hostile_requests import hostile_request
from support.patience import PATIENCE_S
from support.raw_http import exchange, json_of
from support.serving_process import ServingProcess
from support.toy_artifact import OF_PAIRS, make_artifact

CLIENTS = 8
SEED = 20261128
STATUS = re.compile(rb"HTTP/1\.[01] \d{3} ")
MEANT = {501, 503, 504}  # of those from 500 on
MAY_READ = 20  # seconds for one request
HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    folder = tmp_path_factory.mktemp("hostile")
    make_artifact(folder / "model")
    with ServingProcess(
        folder, folder / "log", sagemaker_max_payload_in_mb=1, serving_max_records=8
    ) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """One whose log gets no late lines of other tests' requests."""
    folder = tmp_path_factory.mktemp("refusals")
    make_artifact(folder / "model")
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


def _check(request: bytes, rest: bytes) -> Iterator[int]:
    """Yield the statuses of the answers to a request: errors are in JSON with a code, and none is the server's."""
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        assert STATUS.match(head), (request, head)
        status, told = int(head[9:12]), re.search(rb"\r\nContent-Length: (\d+)", head)
        length = (
            int(told[1]) if told and not STATUS.match(rest) else 0
        )  # after an answer to HEAD comes the next
        body, rest = rest[:length], rest[length:]
        assert status < 300 or 400 <= status < 500 or status in MEANT, (request, head, body)
        media_type = re.search(rb"\r\nContent-Type: ([^\r]+)", head)
        if body and media_type:
            try:
                (check_error if status >= 400 else check_answer)(media_type[1].decode(), body)
            except (AssertionError, ValueError, csv.Error) as error:
                raise AssertionError(request, head, body) from error
        yield status


def _attack(server: ServingProcess, requests: int, number: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    random_ = random.Random(f"{SEED}-{requests}-{number}")
    for _ in range(requests // CLIENTS):
        request = hostile_request(random_)
        began = time.monotonic()
        statuses.update(_check(request, exchange(server.port, request)))
        assert time.monotonic() - began < MAY_READ, request
    return statuses


def test_hostile_requests(server):
    """No answer is a server's error, no worker dies, none of it is logged, and the next caller is served."""
    _survives(server, 10_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"serving_csv_columns": "label,text", "serving_top_k": "all"},
        {"sagemaker_inference_output": "predicted_label,probability,probabilities,labels"},
        {"sagemaker_default_invocations_accept": "text/csv; header=present", "serving_top_k": "2"},
        {"sagemaker_batch": "true", "serving_csv_columns": "text;label", "serving_abstain_below": "0.9"},
    ],
)
def test_hostile_requests_under_settings(tmp_path, settings):
    """Whatever the bodies and answers are set to look like."""
    make_artifact(tmp_path / "model")
    limits = {"sagemaker_max_payload_in_mb": 1, "serving_max_records": 8}
    with ServingProcess(tmp_path, tmp_path / "log", **limits, **settings) as process:
        process.wait_until_ready()
        _survives(process, 2_000)


SEVERAL: dict[str, Any] = {"task": "multi", "thresholds": {"Alpha": 0.0, "Beta": 0.5, "Gamma": None}}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"sagemaker_inference_output": "predicted_label,probability"}])
def test_hostile_requests_to_a_model_with_several_labels(tmp_path, settings):
    """Answers with any number of labels are read by strict readers too."""
    make_artifact(tmp_path / "model", **SEVERAL)
    limits = {"sagemaker_max_payload_in_mb": 1, "serving_max_records": 8}
    with ServingProcess(tmp_path, tmp_path / "log", **limits, **settings) as process:
        process.wait_until_ready()
        _survives(process, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"sagemaker_batch": "true"}])
def test_hostile_requests_to_a_model_of_pairs(tmp_path, settings):
    """Most of them are single texts to it, which are refused, and none of which is dropped in silence."""
    make_artifact(tmp_path / "model", **OF_PAIRS)
    limits = {"sagemaker_max_payload_in_mb": 1, "serving_max_records": 8}
    with ServingProcess(tmp_path, tmp_path / "log", **limits, **settings) as process:
        process.wait_until_ready()
        _survives(process, 2_000, '[["apple", "river"]]')


def _survives(server: ServingProcess, requests: int, good: str = '["apple"]') -> None:
    worker = server.worker
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        attacks = pool.map(lambda number: _attack(server, requests, number), range(CLIENTS))
        statuses = sum(attacks, Counter())
    assert {200, 400, 404, 405, 406, 413, 415, 417, 501} <= set(statuses), "the grammar must reach everything"
    assert server.worker == worker
    assert server.ping() == 200
    assert server.invoke(good)[0] == 200
    assert CANARY not in server.ask("GET", "/metrics")[1].decode().lower()
    log = server.log
    assert CANARY not in log.lower()
    assert "Traceback" not in log
    assert " ERROR " not in log
    for line in log.splitlines():
        assert line.isprintable()
        if line.startswith("{"):
            json.loads(line)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 70_000, 414),
        (b"GET /ping HTTP/1.1\r\n" + b"X: aaaaaaaa\r\n" * 6_000, 431),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 501),
    ],
)
def test_what_the_parser_refuses_is_counted_and_logged(own_server, request_, status):
    """As every other request: by its status in /metrics, and by a line of the access log."""
    name = f'bert_requests_total{{code="{status}"}}'

    def counted() -> float:
        lines = own_server.ask("GET", "/metrics")[1].decode().splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(name))

    def logged() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in own_server.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["status"] == status]

    counts, lines = counted(), len(logged())
    assert exchange(own_server.port, request_).startswith(f"HTTP/1.1 {status} ".encode())
    assert counted() == counts + 1
    while len(logged()) == lines:  # the log is written a moment after the answer
        time.sleep(0.01)
    (line,) = logged()[lines:]
    assert (line["method"], line["path"], line["bytes_in"]) == ("-", "-", None)


def test_a_head_that_comes_too_slowly_is_answered_and_counted(server):
    """It gets 408, and a line in the access log like every answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as slow:
        slow.sendall(b"POST /invoc")
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json_of(answer)["code"] == "head_too_slow"
    metrics = server.ask("GET", "/metrics")[1].decode()
    assert 'bert_connections_cut_total{reason="slow_head"} 1.0' in metrics
    assert 'bert_parser_refusals_total{reason="head_too_slow"} 1.0' in metrics
    while '"code": "head_too_slow"' not in server.log:  # the log is written a moment after the answer
        time.sleep(0.01)


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: 0, 40\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length : 0\r\n\r\n" + SMUGGLED,
        HEAD + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX" + SMUGGLED,
        HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + SMUGGLED,
        HEAD + b"Host: b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SMUGGLED,
    ],
)
def test_what_fronts_read_otherwise_is_refused(server, request_):
    """A request that two servers could cut differently is refused, and what follows it is not executed."""
    answer = exchange(server.port, request_)
    assert re.match(rb"HTTP/1\.[01] (400|501) |$", answer)
    assert b" 404 " not in answer
    assert len(re.findall(rb"(?m)^HTTP/1\.[01] \d{3} ", answer)) <= 1


def test_a_body_that_ends_early_ends_the_connection(server):
    """The answer says so: a client that has ended its side of the connection can send nothing more on it."""
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n"
    answer = exchange(server.port, head + b"apple")
    assert json_of(answer)["code"] == "broken_body"
    assert b"\r\nConnection: close\r\n" in answer
