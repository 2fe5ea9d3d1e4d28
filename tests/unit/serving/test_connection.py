"""A connection between loop and thread, over real sockets: when a head is whole, and that no wait is for ever."""

import socket
import time
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from bert_classifier.serving import connection as connections
from bert_classifier.serving.connection import Connection, TimedSocket, TooSlowError
from bert_classifier.serving.listening import refuse_new_connections

REQUEST = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """Return a connection of the server and the client's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, address = listener.accept()
    made = Connection(Config(), served, address, ("127.0.0.1", 0))
    made.wait_until(time.monotonic() + 60)
    yield made, client
    made.close()
    client.close()


def _wait_for(connection: Connection, client: socket.socket, data: bytes) -> bool:
    """Send data, and return whether the head is whole when all of it has come."""
    client.sendall(data)
    client.setblocking(True)
    time.sleep(0.01)
    return connection.read_head()


def test_a_head_may_come_in_pieces(pair):
    """Only with its last byte is a request given to a thread, and then it is whole there."""
    connection, client = pair
    assert connection.is_idle
    assert not connection.read_head()
    for byte in REQUEST[:-4]:
        assert not _wait_for(connection, client, bytes([byte]))
    assert not connection.is_idle
    assert _wait_for(connection, client, REQUEST[-4:])
    connection.hand_over()
    request = next(connection.parser)
    assert (request.method, request.path, request.body.read()) == ("POST", "/a", b"abc")


def test_the_first_byte_starts_the_clock(pair):
    """An unused connection may wait long; a request that has begun has to go on."""
    connection, client = pair
    assert connection.until > time.monotonic() + 50
    assert not _wait_for(connection, client, b"P")
    assert connection.until <= time.monotonic() + connections.HEAD_S


def test_what_follows_a_request_belongs_to_the_next(pair):
    """Two requests in one packet are both seen."""
    connection, client = pair
    assert _wait_for(connection, client, REQUEST + REQUEST)
    connection.hand_over()
    next(connection.parser).body.read()
    connection.wait_until(time.monotonic() + 60)
    assert connection.read_head()
    connection.hand_over()
    assert next(connection.parser).body.read() == b"abc"


def test_a_client_that_leaves_is_noticed(pair):
    """The end of the stream is an error that the loop drops the connection for."""
    connection, client = pair
    client.close()
    time.sleep(0.01)
    with pytest.raises(ConnectionResetError):
        connection.read_head()


def test_reading_ends_at_its_time_however_the_peer_trickles(pair):
    """A byte now and then does not move the end."""
    connection, client = pair
    connection.sock.read_until = end = time.monotonic() + 0.2

    def read_on() -> None:
        while time.monotonic() < end + 5:
            client.sendall(b"ab")  # more than is taken: there is always something to read
            connection.sock.recv(1)

    with pytest.raises(TooSlowError):
        read_on()


def test_a_client_that_does_not_read_is_cut_off(pair, monkeypatch):
    """Writing ends too, in a way that gunicorn takes for a client that has left."""
    monkeypatch.setattr(connections, "ANSWER_S", 0.05)
    monkeypatch.setattr(connections, "BYTES_PER_S", 1e12)
    connection, _client = pair
    with pytest.raises(TooSlowError) as caught:
        connection.sock.sendall(b"a" * 50_000_000)
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
        with TimedSocket.adopt(served) as taken:
            taken.read_until = time.monotonic() + 30
            assert taken.recv(100) == b"still here"
        for each in (early, late):
            each.close()
