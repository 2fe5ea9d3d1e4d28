"""What the emulator sees of a server that a body waits for: which status came first, by real connections."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from sagemaker_emulator.client import Server
from sagemaker_emulator.client_judgements import judge_expect
from sagemaker_emulator.engine import Container
from sagemaker_emulator.job import Payload
from support.patience import PATIENCE_S

BODY = b"a text"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nFilm"
REFUSED = b"HTTP/1.1 415 Unsupported Media Type\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HANG_UP = b""


class Local(Container):
    """What listens on this machine, without a container."""

    def address(self, port: int) -> tuple[str, int]:
        """Return the port of this machine."""
        return "127.0.0.1", port


@pytest.fixture
def answering() -> Iterator[Callable[..., Server]]:
    """Return a function that listens, sends its parts after the head, and OK once it has the body."""
    threads = []
    listeners = []

    def serve(*parts: bytes) -> Server:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=talk, args=(listener, parts)))
        threads[-1].start()
        return Server(Local("local"), listener.getsockname()[1])

    yield serve
    for thread in threads:
        thread.join(PATIENCE_S)
    for listener in listeners:
        listener.close()


def talk(listener: socket.socket, parts: tuple[bytes, ...]) -> None:
    """Answer one request."""
    listener.settimeout(PATIENCE_S)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(PATIENCE_S)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        for part in parts:
            if part is HANG_UP:
                return
            connection.sendall(part)
            threading.Event().wait(0.05)  # so that the parts arrive one by one
        while not received.endswith(BODY):
            more = connection.recv(4096)
            if not more:
                return
            received += more
        connection.sendall(OK)


@pytest.mark.parametrize(
    ("parts", "status", "first", "holds"),
    [
        ((CONTINUE,), 200, 100, True),
        ((CONTINUE[:5], CONTINUE[5:]), 200, 100, True),  # in two packets
        ((), 200, None, False),  # it reads on without asking
        ((REFUSED,), 415, 415, False),  # a first byte is no 100 Continue
        ((OK,), 200, 200, False),
    ],
)
def test_only_100_continue_asks_for_the_body(answering, parts, status, first, holds):
    """A server that sends nothing gets the body after a second, and one that refuses gets none."""
    answer, came = answering(*parts).invoke_expecting(Payload("text/plain", BODY))
    assert (answer.status, came) == (status, first)
    assert judge_expect(answer, came)[0] is holds


def test_who_hangs_up_has_asked_for_nothing(answering):
    """A part of a status line is no status."""
    answer, came = answering(CONTINUE[:10], HANG_UP).invoke_expecting(Payload("text/plain", BODY))
    assert (answer.status, came) == (0, None)
