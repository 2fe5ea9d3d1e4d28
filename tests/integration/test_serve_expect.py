"""Clients that ask before they send a body: what the head already decides is answered without asking for it."""

import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.raw_http import exchange, json_of, read_answer
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ASK = b"Host: a\r\nExpect: 100-continue\r\n"
HEAD = b"POST /invocations HTTP/1.1\r\n" + ASK
TEXT = HEAD + b"Content-Type: text/plain\r\n"
FIVE = b"Content-Length: 5\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expect")
    make_artifact(folder / "model")
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[ServingProcess]:
    with ServingProcess(model, model / "log", serving_max_concurrent_requests=1) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def client(server: ServingProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        yield connection


REFUSED = {
    "404": b"POST /nowhere HTTP/1.1\r\n" + ASK + FIVE,
    "405": b"PUT /invocations HTTP/1.1\r\n" + ASK + FIVE,
    "406": TEXT + b"Accept: image/png\r\n" + FIVE,
    "413": TEXT + b"Content-Length: 30000000\r\n\r\n",
    "415": HEAD + b"Content-Type: application/pdf\r\n" + FIVE,
    "415 compressed": TEXT + b"Content-Encoding: gzip\r\n" + FIVE,
    "415 chunked": HEAD + b"Content-Type: application/pdf\r\nTransfer-Encoding: chunked\r\n\r\n",
    "400 query": TEXT.replace(b"invocations", b"invocations?a=b") + FIVE,
    "400 lengths": TEXT + b"Transfer-Encoding: chunked\r\n" + FIVE,
    "501": TEXT + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "417": TEXT.replace(b"100-continue", b"200-ok") + FIVE,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_head_decides_is_answered_at_once(server, client, name):
    """The client is not asked for its body, and what it sends all the same is no request."""
    client.sendall(REFUSED[name])
    answer = read_answer(client)
    client.sendall(SMUGGLED)
    client.shutdown(socket.SHUT_WR)
    answer += b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(f"HTTP/1.1 {name[:3]} ".encode())
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert set(json_of(answer)) == {"error", "code"}
    assert server.ping() == 200


def test_a_body_that_is_wanted_is_asked_for_once(client):
    """And the connection stays open for the next request."""
    for expectation in (b"100-continue", b"100-Continue"):
        client.sendall(TEXT.replace(b"100-continue", expectation) + FIVE)
        assert read_answer(client) == CONTINUE
        client.sendall(b"ap")
        client.sendall(b"ple")
        answer = read_answer(client)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nConnection: keep-alive\r\n" in answer


def test_a_chunked_body_is_asked_for(client):
    """Its length is unknown, so that only the limit can refuse it."""
    client.sendall(TEXT + b"Transfer-Encoding: chunked\r\n\r\n")
    assert read_answer(client) == CONTINUE
    client.sendall(b"5\r\napple\r\n0\r\n\r\n")
    assert read_answer(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        TEXT + FIVE + b"apple",
        TEXT.replace(b"HTTP/1.1", b"HTTP/1.0") + FIVE + b"apple",
        b"GET /ping HTTP/1.1\r\n" + ASK + b"\r\n",
    ],
    ids=["a body that is there", "HTTP/1.0", "no body"],
)
def test_what_need_not_be_asked_is_not(server, request_):
    """A body that has come with the head, a version without interim answers, and a request without a body."""
    answer = exchange(server.port, request_)
    assert CONTINUE not in answer
    assert b" 200 OK" in answer.split(b"\r\n")[0]


def test_at_the_limit_nobody_is_asked(server, client):
    """429 and 503 come before the body, as the client then has to send it again."""
    client.sendall(TEXT + FIVE)
    assert read_answer(client) == CONTINUE  # and now it holds the only place
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as other:
        other.sendall(TEXT + FIVE)
        assert read_answer(other).startswith(b"HTTP/1.1 429 ")
    client.sendall(b"apple")
    assert read_answer(client).startswith(b"HTTP/1.1 200 ")


def test_without_a_model_nobody_is_asked(model, tmp_path):
    """As the first seconds of every start show."""
    with ServingProcess(model, tmp_path / "log") as process:
        process.wait_until_it_listens()
        with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE_S) as early:
            early.sendall(TEXT + FIVE)
            assert read_answer(early).startswith(b"HTTP/1.1 503 ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_sends_not_one_byte_of_a_body_that_is_too_large(server, tmp_path):
    """30 MB against a limit of 25 MB, and afterwards a body that fits."""
    uploads = []
    for size in (30_000_000, 1_000_000):
        (tmp_path / "body").write_bytes(b"a " * (size // 2))
        command = [
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_upload}",
            "--data-binary",
            "@body",
        ]
        headers = ["-H", "Expect: 100-continue", "-H", "Content-Type: text/plain"]
        url = f"http://127.0.0.1:{server.port}/invocations"
        done = subprocess.run([*command, *headers, url], cwd=tmp_path, capture_output=True, check=True)
        uploads.append(done.stdout.decode())
    assert uploads == ["413 0", "200 1000000"]


def test_pythons_client_passes_over_the_interim_answer(server):
    """It sends the body without waiting, as many do."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    for _ in range(2):
        headers = {"Expect": "100-continue", "Content-Type": "text/plain"}
        connection.request("POST", "/invocations", b"apple " * 20_000, headers)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True)
    connection.close()
