"""Requests that are not proper HTTP/1.1, and what proxies and other programs' variables might change."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.raw_http import exchange, json_of, status_of
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

LINE = b"POST /invocations HTTP/1.1\r\nContent-Type: text/plain\r\n"
HEAD = LINE + b"Host: a\r\n"
END = b"Connection: close\r\nContent-Length: 5\r\n\r\napple"
CHUNKS = b"Connection: close\r\n\r\n5\r\napple\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("http")
    make_artifact(folder / "model")
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[ServingProcess]:
    with ServingProcess(model, model / "log") as process:
        process.wait_until_ready()
        yield process


def _refusals(server: ServingProcess, code: str) -> float:
    name = f'bert_parser_refusals_total{{reason="{code}"}} '
    lines = server.ask("GET", "/metrics")[1].decode().splitlines()
    (count,) = (line.removeprefix(name) for line in lines if line.startswith(name))
    return float(count)


@pytest.mark.parametrize(
    ("request_", "status", "code", "says"),
    [
        (LINE + END, 400, "no_host", "no Host header"),
        (HEAD + b"Host: b\r\n" + END, 400, "bad_host", "several Host"),
        (LINE + b"Host: a b\r\n" + END, 400, "bad_host", "Host"),
        (LINE + b"Host: a/b\r\n" + END, 400, "bad_host", "Host"),
        (LINE + b"Host: user@a\r\n" + END, 400, "bad_host", "Host"),
        (LINE + b"Host: a:b\r\n" + END, 400, "bad_host", "Host"),
        (LINE + b"Host: [::1\r\n" + END, 400, "bad_host", "Host"),
        (LINE + b"Host: \xe9\r\n" + END, 400, "bad_host", "Host"),
        (LINE.replace(b"1.1", b"1.0") + b"Host: a b\r\n" + END, 400, "bad_host", "Host"),
        (HEAD + b"Content-Type: text/csv\r\n" + END, 400, "bad_content_type", "several Content-Type"),
        (HEAD + b"Content-Length: 5\r\n" + END, 400, "bad_content_length", "Content-Length"),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400, "bad_content_length", "Content-Length"),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + END, 400, "bad_content_length", "Transfer-Encoding"),
        (HEAD + b"Transfer-Encoding: chunked, chunked\r\n" + CHUNKS, 400, "bad_transfer_encoding", "once"),
        (HEAD + b"Transfer-Encoding: identity\r\n" + CHUNKS, 400, "bad_transfer_encoding", "chunked"),
        (HEAD + b"Transfer-Encoding: chunked, gzip\r\n" + CHUNKS, 400, "bad_transfer_encoding", "chunked"),
        (
            HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n" + CHUNKS,
            400, "bad_transfer_encoding", "HTTP/1.1",
        ),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS, 501, "unsupported_transfer_encoding", "chunked"),
        (
            HEAD + b"Transfer-Encoding: GZip\r\ntransfer-encoding: Chunked\r\n" + CHUNKS,
            501, "unsupported_transfer_encoding", "chunked",
        ),
        (HEAD + b"Transfer-Encoding: br\r\n" + CHUNKS, 501, "unsupported_transfer_encoding", "chunked"),
        (HEAD + b"Transfer-Encoding: identity, chunked\r\n" + CHUNKS, 501, "unsupported_transfer_encoding", ""),
        (HEAD + b"Expect: 200-ok\r\n" + END, 417, "expectation_failed", "Expect"),
        (HEAD + b"X: a\r\n b\r\n" + END, 400, "folded_header", "one line"),
        (HEAD + b"X y: a\r\n" + END, 400, "bad_header", "name of a header"),
        (HEAD + b"X\r\n" + END, 400, "bad_header", "colon"),
        (HEAD + b"X: \x01\r\n" + END, 400, "bad_header", "control character"),
        (b"post /invocations HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_method", "capitals"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400, "bad_http_version", "HTTP/1.1"),
        (b"GET /\r\n\r\n", 400, "bad_request_line", "HTTP/1.1"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + HEAD + END, 400, "bad_request_line", "HTTP/1.1"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long", "URL"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431, "request_header_fields_too_large", "100"),
    ],
)  # fmt: skip
def test_what_is_not_proper_http_is_refused_by_name(server, request_, status, code, says):
    """In JSON, in one or two sentences without a word of the request, and counted by its code."""
    before = _refusals(server, code)
    answer = exchange(server.port, request_)
    assert status_of(answer) == status
    assert b"\r\nContent-Type: application/json\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    refusal = json_of(answer)
    assert (set(refusal), refusal["code"]) == ({"error", "code"}, code)
    assert says in refusal["error"]
    assert refusal["error"].endswith(".")
    assert _refusals(server, code) == before + 1


@pytest.mark.parametrize(
    "host", [b"a", b"a:8080", b"A-b_c.example", b"127.0.0.1:80", b"[::1]:8080", b"[::1]", b""]
)
def test_a_proper_host_is_taken(server, host):
    """Names, addresses, ports, and the empty one that RFC 9112 asks for where there is no name."""
    assert status_of(exchange(server.port, LINE + b"Host: " + host + b"\r\n" + END)) == 200


def test_http_1_0_needs_no_host(server):
    """As old health checks have none."""
    answer = exchange(server.port, b"GET /ping HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 ")


def test_a_url_without_a_path_is_the_page(server):
    """As clients behind a proxy may write it: no redirection to somewhere else."""
    answer = exchange(server.port, b"GET http://a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


PROXY_HEADERS = [
    b"X-Forwarded-For: 10.1.2.3, 10.1.2.4", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: elsewhere",
    b"X-Forwarded-Port: 1", b"X-Forwarded-Prefix: /prefix", b"X-Forwarded-Server: elsewhere",
    b"X-Forwarded-Protocol: ssl", b"X-Forwarded-Ssl: on",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\nX-Forwarded-Protocol: http",
    b"Forwarded: for=10.1.2.3;proto=https;host=elsewhere", b"X-Real-IP: 10.1.2.3", b"Via: 1.1 elsewhere",
    b"X-Original-URL: /metrics", b"X-Rewrite-URL: /metrics", b"X-HTTP-Method-Override: DELETE",
    b"X-Script-Name: /invocations", b"SCRIPT_NAME: /invocations", b"Script-Name: /prefix", b"PATH_INFO: /metrics",
    b"Path-Info: /metrics", b"REMOTE_USER: root", b"Remote-User: root", b"REMOTE_ADDR: 10.1.2.3",
    b"QUERY_STRING: a=b", b"CONTENT_TYPE: image/png", b"CONTENT_LENGTH: 1", b"wsgi.url_scheme: https",
    b"Proxy-Connection: keep-alive", b"Proxy: http://elsewhere", b"X-SSL-Client-Verify: SUCCESS",
]  # fmt: skip


def _undated(answer: bytes) -> bytes:
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer)


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_a_proxys_header_changes_nothing(server, header):
    """Not even from 127.0.0.1, which gunicorn trusts by default: not a byte of the answer but its date."""
    plain = exchange(server.port, HEAD + END)
    assert status_of(plain) == 200
    assert _undated(exchange(server.port, HEAD + header + b"\r\n" + END)) == _undated(plain)


def test_http_2_is_not_spoken(server):
    """A client that proposes it gets HTTP/1.1, as the standard says."""
    upgrade = (
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    )
    assert exchange(server.port, HEAD + upgrade + END).startswith(b"HTTP/1.1 200 ")


def test_variables_of_other_programs_change_nothing(server, model, tmp_path):
    """Sense or nonsense for gunicorn, Flask, prometheus_client: same answers, one worker, and the log names them."""
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    variables = {
        "WEB_CONCURRENCY": "abc",
        "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:1 --workers=7 --proxy-protocol",
        "FORWARDED_ALLOW_IPS": "*",
        "PORT": "1",
        "SENDFILE": "1",
        "NOTIFY_SOCKET": tmp_path / "notify",
        "GUNICORN_PID": "1",
        "GUNICORN_FD": "0",
        "LISTEN_PID": "1",
        "LISTEN_FDS": "1",
        "SCRIPT_NAME": "/prefix",
        "FLASK_DEBUG": "1",
        "FLASK_RUN_FROM_CLI": "true",
        "PROMETHEUS_MULTIPROC_DIR": "/nonexistent",
        "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
        "PROMETHEUS_LEGACY_NAME_VALIDATION": "true",
    }
    requests = [
        HEAD + END,
        HEAD + b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n" + END,
        HEAD + b"SCRIPT_NAME: /prefix\r\n" + END,
        b"POST /prefix" + HEAD.removeprefix(b"POST ") + END,
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + HEAD + END,
        b"GET /execution-parameters HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"OPTIONS /invocations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ]
    with notified, ServingProcess(model, tmp_path / "log", **variables) as process:
        process.wait_until_ready()
        for request in requests:
            assert _undated(exchange(process.port, request)) == _undated(exchange(server.port, request))
        assert _names_of_metrics(process) == _names_of_metrics(server)
        assert len(process.workers) == 1
        notified.setblocking(False)
        with pytest.raises(BlockingIOError):
            notified.recv(1)
        (line,) = (line for line in process.log.splitlines() if "variables of other programs" in line)
        assert set(re.findall(r"[A-Z_]{4,}", line)) >= set(variables)


def _names_of_metrics(server: ServingProcess) -> set[bytes]:
    return set(re.findall(rb"(?m)^# TYPE (\w+)", server.ask("GET", "/metrics")[1]))
