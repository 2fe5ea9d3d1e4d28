"""A connection between loop and thread, over real sockets: when a head is whole."""

import socket
import time
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine

from bert_classifier.serving.connection import HEAD_S, Connection
from bert_classifier.serving.refusals import ENDED
from support.patience import PATIENCE_S

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


def test_what_has_been_read_is_not_searched_again(pair):
    """A long head in single bytes costs a search of each byte, not of all before it: a hundredth of the time."""
    connection, _ = pair
    began = time.process_time()
    for byte in b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000:
        connection._take(bytes([byte]))
    assert time.process_time() - began < 2
    assert not connection.read_head()
    connection._take(b"\r\n")
    assert connection.read_head()


def test_the_first_byte_starts_the_clock(pair):
    """An unused connection may wait long; a request that has begun has to go on."""
    connection, client = pair
    assert connection.until > time.monotonic() + 50
    assert not _wait_for(connection, client, b"P")
    assert connection.until <= time.monotonic() + HEAD_S


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


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GET /" + b"a" * 66_000, LimitRequestLine),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 12_000, LimitRequestHeaders),
    ],
)
def test_a_head_without_end_is_refused(pair, data, kind):
    """It is not collected for ever, and a thread gives the answer."""
    connection, client = pair
    client.sendall(data)
    while not connection.read_head():
        pass
    assert isinstance(connection.refusal, kind)


@pytest.mark.parametrize("is_first", [False, True])
def test_a_request_gets_one_answer_and_no_second_one(pair, is_first):
    """The loop's, or that of its thread, whichever begins first; the next request gets one again."""
    connection, client = pair
    client.settimeout(PATIENCE_S)
    for _ in range(2):
        assert _wait_for(connection, client, REQUEST)
        connection.hand_over()
        if is_first:
            connection.sock.sendall(b"HTTP/1.1 200 ")
        assert connection.sock.answer_for(ENDED.answer) is not is_first
        if is_first:
            connection.sock.sendall(b"OK\r\n\r\n")
        else:
            with pytest.raises(BrokenPipeError):
                connection.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert connection.sock.is_answered_for is not is_first
        expected = b"HTTP/1.1 200 OK\r\n\r\n" if is_first else ENDED.answer
        assert client.recv(len(expected), socket.MSG_WAITALL) == expected
        connection.wait_until(time.monotonic() + PATIENCE_S)


def test_to_refuse_for_a_thread_whose_client_has_left_is_no_error(pair):
    """There is nobody to tell, and others still wait for theirs."""
    connection, client = pair
    assert _wait_for(connection, client, REQUEST)
    connection.hand_over()
    client.close()
    time.sleep(0.01)
    assert connection.sock.answer_for(ENDED.answer)
