"""System calls without giving the interpreter away: what they return and raise is what Python's own do."""

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from bert_classifier.serving.system_calls import recv_now, send_now, write_now


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two ends of a connection, which block by themselves."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_what_is_sent_is_received(pair):
    """All bytes arrive, zeros too, in pieces of the size asked for."""
    one, other = pair
    data = bytes(range(256)) * 4
    assert send_now(one.fileno(), data) == len(data)
    assert recv_now(other.fileno(), 1000) + recv_now(other.fileno(), 1000) == data


def test_nothing_waits(pair):
    """A socket that has nothing, or takes nothing more, says so."""
    one, other = pair
    with pytest.raises(BlockingIOError):
        recv_now(other.fileno(), 10)
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(65536))
    one.setblocking(True)
    with pytest.raises(BlockingIOError):
        send_now(one.fileno(), b"a")


def test_a_client_that_has_left(pair):
    """The end is nothing, and what cannot be sent is a broken pipe, not the end of the process."""
    one, other = pair
    other.close()
    assert recv_now(one.fileno(), 10) == b""
    with pytest.raises(BrokenPipeError):
        send_now(one.fileno(), b"a")


def test_a_closed_descriptor():
    """It is an error like any other."""
    for call in (lambda: recv_now(-1, 10), lambda: send_now(-1, b"a"), lambda: write_now(-1, b"a")):
        with pytest.raises(OSError, match="Bad file descriptor"):
            call()


def test_a_pipe():
    """What is written can be read."""
    reader, writer = os.pipe()
    assert write_now(writer, b"abc") == 3
    assert os.read(reader, 10) == b"abc"
    os.close(reader)
    os.close(writer)
