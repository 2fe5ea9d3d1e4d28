"""Clients that are slow, silent, greedy or gone: the real server stays healthy and serves the others."""

import contextlib
import json
import multiprocessing
import re
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

SLOW_CLIENTS = 200
PING_LIMIT_S = 2  # SageMaker's
MANY = 2_000  # texts of one request
HEAD = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
KINDS = {
    "silent": b"",
    "in the head": b"POST /invocations HTTP/1.1\r\nHo",
    "in a giant head": b"GET /ping HTTP/1.1\r\n" + b"X: aaaaaaaa\r\n" * 6_000,
    "in the body": HEAD + b"Content-Length: 1000\r\n\r\na",
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\na",
}
LARGE = HEAD + f"Content-Length: {2 * MANY - 1}\r\n\r\n".encode() + b"\n".join([b"a"] * MANY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    folder = tmp_path_factory.mktemp("slow")
    # The answer to many texts exceeds what the kernel takes for a client that does not read.
    most = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
    make_artifact(folder / "model", names=[letter * (2 * most // MANY) for letter in "abc"])
    with ServingProcess(folder, folder / "log", sagemaker_max_payload_in_mb=1) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def connect(server: ServingProcess) -> Iterator[Callable[[bytes], socket.socket]]:
    """Return a function that connects and sends; all connections are closed after the test."""
    made: list[socket.socket] = []

    def connect(data: bytes) -> socket.socket:
        connection = socket.socket()
        made.append(connection)
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(data)
        return connection

    yield connect
    for connection in made:
        connection.close()


def _slowest_ping(server: ServingProcess, connections: list[socket.socket], seconds: float) -> float:
    """Ping for some seconds, while each connection gets a byte a second, and return the longest wait."""
    slowest, until, next_byte = 0.0, time.monotonic() + seconds, 0.0
    while time.monotonic() < until:
        if time.monotonic() > next_byte:
            next_byte = time.monotonic() + 1
            for connection in connections:
                try:
                    connection.send(b"a")
                except OSError:  # cut off, as it should be
                    connection.close()
                    connections.remove(connection)
        began = time.monotonic()
        assert server.ping() == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.parametrize("kind", KINDS)
def test_slow_senders_take_nothing_from_others(server, connect, kind):
    """While 200 clients trickle, pings are answered in time; the clients are cut off, and others are served."""
    connections = [connect(KINDS[kind]) for _ in range(SLOW_CLIENTS)]
    assert _slowest_ping(server, connections, 12 if kind != "silent" else 2) < PING_LIMIT_S
    assert kind == "silent" or len(connections) < SLOW_CLIENTS
    assert server.invoke('["apple"]')[0] == 200


def test_a_body_that_trickles_is_answered(server, connect):
    """A body that is not there in time gets 408, and the connection ends."""
    connection = connect(KINDS["in the body"])
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "body_too_slow"


def test_slow_readers_take_nothing_from_others(server, connect):
    """Clients that do not read their answers hold no more threads than are admitted, and no ping waits."""
    connections = [connect(LARGE) for _ in range(SLOW_CLIENTS // 2)]
    assert _slowest_ping(server, [], 3) < PING_LIMIT_S
    for connection in connections:
        connection.close()
    until = time.monotonic() + PATIENCE_S
    while server.invoke('["apple"]')[0] != 200:
        assert time.monotonic() < until


@pytest.mark.parametrize("framing", [b"Content-Length: 2000000", b"Content-Length: 99999999999"])
def test_a_declared_body_that_is_too_large_is_not_waited_for(server, connect, framing):
    """413 comes at once, and nothing that follows on the connection is taken for a request."""
    connection = connect(HEAD + framing + b"\r\n\r\n" + b"GET /ping HTTP/1.1\r\n\r\n")
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_endless_body_is_cut_off_at_the_limit(server, connect):
    """A chunked body without end gets 413 when the limit is passed."""
    connection = connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    sent = 0
    while not select.select([connection], [], [], 0)[0]:
        connection.sendall(chunk)
        sent += len(chunk)
        assert sent < 20_000_000, "nobody says that it is too much"
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_caller_that_has_left_is_not_worked_for(server, connect):
    """Requests whose callers have gone are dropped, so that the next one does not wait for them."""
    body = "\n".join(["apple river ocean " * 5] * 4_000).encode()  # less than the 1 MB allowed
    for _ in range(10):
        connect(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body).close()
    assert server.invoke('["apple"]')[0] == 200
    until = time.monotonic() + PATIENCE_S
    while b'bert_requests_total{code="499"}' not in server.ask("GET", "/metrics")[1]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert "Traceback" not in server.log


def test_a_client_that_floods_connections_keeps_nobody_out(server, connect):
    """Thousands of idle connections make room for one that asks."""
    for _ in range(1500):
        connect(b"")
    assert server.ping() == 200
    assert server.invoke('["apple"]')[0] == 200


def test_a_flood_of_half_heads_keeps_nobody_out(server, connect):
    """At the limit of connections, the oldest heads that are not complete give way."""
    for _ in range(1500):
        connect(KINDS["in the head"])
    began = time.monotonic()
    assert server.ping() == 200
    assert time.monotonic() - began < PING_LIMIT_S
    assert b'bert_connections_cut_total{reason="made_room"} 0.0' not in server.ask("GET", "/metrics")[1]


def test_a_client_that_leaves_amid_its_answer_is_counted(server, connect):
    """The access log has what was meant to be sent; the counter says that not all clients took it."""
    before = _count(server, 'bert_connections_cut_total{reason="client_left"}')
    connection = connect(LARGE)
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    connection.close()  # with unread data: the kernel resets it
    until = time.monotonic() + PATIENCE_S
    while _count(server, 'bert_connections_cut_total{reason="client_left"}') == before:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_head_in_single_bytes_is_read(connect):
    """However many segments it comes in, a head that is whole within its seconds is answered."""
    for gap, padding in [(0, 8000), (0.0002, 1500), (0.001, 800), (0.004, 300)]:
        connection = connect(b"")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"a" * padding + b"\r\n\r\n":
            connection.send(bytes([byte]))
            time.sleep(gap)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def _trickle(port: int, clients: int, seconds: float) -> None:
    """Send long heads of short lines in single bytes, as fast as it goes."""
    until = time.monotonic() + seconds
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"GET /ping HTTP/1.1\r\n" + b"X: a\r\n" * 9_000)
        connection.setblocking(False)
    while time.monotonic() < until:
        for connection in connections:
            with contextlib.suppress(OSError):  # there is no room, or it is cut off
                connection.send(b"a")


def test_heads_in_single_bytes_take_nothing_from_others(server):
    """What has been read of a head is not read again with each byte that is added."""
    client = multiprocessing.get_context("spawn").Process(target=_trickle, args=(server.port, 100, 5.0))
    client.start()
    slowest = _slowest_ping(server, [], 6)
    client.join()
    assert slowest < PING_LIMIT_S


def _count(server: ServingProcess, series: str = 'bert_requests_total{code="200"}') -> float:
    metrics = server.ask("GET", "/metrics")[1].decode()
    return float(re.findall(rf"{re.escape(series)} (\S+)", metrics)[0])


def _answers_until_blocked(server: ServingProcess, connection: socket.socket, request: bytes) -> int:
    """Return how many answers fit between the server and a client that reads none."""
    before = seen = _count(server)
    connection.sendall(request * 2000)
    for asked in range(1, 30):
        time.sleep(0.3)
        now = _count(server) - asked  # the asking itself counts
        if now == seen > before:
            return int(now - before) - 1  # the last one waits
        seen = now
    raise AssertionError("all answers fit")


def test_an_endless_head_of_a_client_that_does_not_read_is_not_waited_for(server, connect):
    """Its refusal finds no room on the connection: a thread may wait for that, but not the others."""
    page = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    fit = _answers_until_blocked(server, connect(b""), page)
    for fewer in range(12):
        connection = connect(page * (fit - fewer))
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.send(b"GET /" + b"a" * 70_000)
    assert _slowest_ping(server, [], 3) < PING_LIMIT_S


def test_a_short_lack_of_descriptors_leaves_no_trace(server, connect):
    """As many idle connections as before are held afterwards."""
    soft, hard = resource.prlimit(server.worker, resource.RLIMIT_NOFILE)
    resource.prlimit(server.worker, resource.RLIMIT_NOFILE, (30, hard))
    for _ in range(60):
        connect(b"")
    assert server.ping() == 200
    resource.prlimit(server.worker, resource.RLIMIT_NOFILE, (soft, hard))
    idle = [connect(b"") for _ in range(400)]
    assert server.ping() == 200
    assert len(select.select(idle, [], [], 0.5)[0]) == 0


def test_at_the_limit_of_connections_callers_are_answered(tmp_path):
    """Idle ones give way, but never one whose request is there already."""
    make_artifact(tmp_path / "model")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (140, hard))  # 100 connections
    try:
        process = ServingProcess(tmp_path, tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with process, contextlib.ExitStack() as stack:
        process.wait_until_ready()
        address = ("127.0.0.1", process.port)
        for number in range(40):
            callers = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(number % 20 + 1)]
            for caller in callers:
                caller.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in range(70):
                stack.enter_context(socket.create_connection(address))
            for caller in callers:
                assert caller.recv(100).startswith(b"HTTP/1.1 200 ")
                caller.close()
