"""The sockets of the server, as they are: no wait is for ever, and a port closes without losing a client."""

import socket
import time
from collections.abc import Iterator

import pytest

from bert_classifier.serving import timed_socket
from bert_classifier.serving.listening import refuse_new_connections
from bert_classifier.serving.timed_socket import TimedSocket, TooSlowError


@pytest.fixture
def pair() -> Iterator[tuple[TimedSocket, socket.socket]]:
    """Return the server's end of a connection and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served = TimedSocket.adopt(listener.accept()[0])
    with served, client:
        yield served, client


def test_reading_ends_at_its_time_however_the_client_trickles(pair):
    """A byte now and then does not move the end."""
    served, client = pair
    served.read_until = end = time.monotonic() + 0.2

    def read_on() -> None:
        while time.monotonic() < end + 5:
            client.sendall(b"ab")  # more than is taken: there is always something to read
            served.recv(1)

    with pytest.raises(TooSlowError):
        read_on()


def test_a_client_that_does_not_read_is_cut_off(pair, monkeypatch):
    """Writing ends too, in a way that gunicorn takes for a client that has left."""
    monkeypatch.setattr(timed_socket, "ANSWER_S", 0.05)
    monkeypatch.setattr(timed_socket, "BYTES_PER_S", 1e12)
    served, _client = pair
    with pytest.raises(TooSlowError) as caught:
        served.sendall(b"a" * 50_000_000)
    assert isinstance(caught.value, ConnectionResetError)
    assert caught.value.errno is not None


def test_a_port_that_refuses_keeps_what_it_has():
    """After refuse_new_connections a client that was accepted by the kernel is served, a new one is not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early = socket.create_connection(listener.getsockname())
        refuse_new_connections(listener)
        late = socket.socket()
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        served, _ = listener.accept()
        early.sendall(b"still here")
        with served:
            assert served.recv(100) == b"still here"
        for each in (early, late):
            each.close()


def test_a_client_that_waits_is_asked_for_its_body_once(pair):
    """By the first read that needs more than has come, and not by one whose time is over."""
    served, client = pair
    served.owes_continue = True
    with pytest.raises(TooSlowError):
        served.recv(1)
    served.read_until = time.monotonic() + 10
    for byte in (b"a", b"b"):
        client.sendall(byte)
        assert served.recv(1) == byte
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    served.close()
    assert client.recv(100) == b""


@pytest.mark.parametrize("size", [3, 100_000])
def test_a_head_leaves_with_the_body(pair, size):
    """Nothing is sent before the body is there; what follows is not held."""
    served, client = pair
    client.settimeout(0.05)
    served.holds_head = True
    served.sendall(b"head")
    with pytest.raises(TimeoutError):
        client.recv(100)
    for part in (b"a" * size, b"end"):
        served.sendall(part)
        expected = part if part == b"end" else b"head" + part
        received = b""
        while len(received) < len(expected):
            received += client.recv(1_000_000)
        assert received == expected


def test_a_head_without_a_body_is_sent_at_the_end(pair):
    """Once, and only if there is one."""
    served, client = pair
    served.write_held()
    served.holds_head = True
    served.sendall(b"head")
    served.write_held()
    served.write_held()
    assert client.recv(100) == b"head"
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)
