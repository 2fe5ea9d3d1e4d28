"""The platform's side of a connection: plain HTTP to the container's own address, without a proxy."""

import http.client
import re
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sagemaker_emulator.engine import Container
from sagemaker_emulator.job import Payload

USUAL_PORT = 8080
PING_TIMEOUT = 2.0  # seconds
ANSWER_TIMEOUT = 60.0
_EXPECT_SECONDS = 1.0  # that clients wait for 100 Continue before they send the body without it
_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})")


@dataclass(frozen=True)
class Answer:
    """The response to a request, or why there was none.

    Attributes:
        status: 0 when there was no answer; `body` then says why.
        seconds: from the first byte sent to the last one received.
        sent_at: when the whole request had been sent, by time.monotonic(); 0 when it was not.
        ended_at: when the answer had arrived or was given up, by the same clock.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    seconds: float
    sent_at: float
    ended_at: float

    def summary(self) -> str:
        """Return the status and the beginning of the body."""
        text = self.body.decode("utf-8", "replace").strip()[:120]
        return f"{self.status or 'no answer'}: {text}" if text else str(self.status or "no answer")


class Server:
    """The server in a container."""

    def __init__(self, container: Container, port: int) -> None:
        self.container = container
        self._port = port
        self._address: tuple[str, int] | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> Answer:
        """Send one request on a connection of its own; whatever the server does, raise nothing."""
        return self._exchange(timeout, lambda to: to.request(method, path, body, dict(headers or {})))

    def _exchange(self, timeout: float, send: Callable[[http.client.HTTPConnection], None]) -> Answer:
        began = time.monotonic()
        sent_at = 0.0
        try:
            connection = http.client.HTTPConnection(*self._find_address(), timeout=timeout)
            try:
                try:
                    send(connection)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # a server may refuse a body before it has read all of it
                else:
                    sent_at = time.monotonic()
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            ended = time.monotonic()
            return Answer(0, _reason(error).encode(), {}, ended - began, sent_at, ended)
        ended = time.monotonic()
        back = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, content, back, ended - began, sent_at, ended)

    def ping(self, method: str = "GET") -> Answer:
        """Send a health check, with the platform's timeout."""
        return self.ask(method, "/ping", timeout=PING_TIMEOUT)

    def invoke(self, payload: Payload, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request of a content type."""
        own = {"Content-Type": payload.content_type, **(headers or {})}
        return self.ask("POST", "/invocations", payload.body, own)

    def invoke_expecting(self, payload: Payload) -> tuple[Answer, int | None]:
        """Send the body after 100 Continue, or after a second, as curl does; not after a final status.

        Return the answer, and the status that came before the body was sent: None where none did.
        """
        came: list[int | None] = []

        def send(connection: http.client.HTTPConnection) -> None:
            connection.putrequest("POST", "/invocations")
            for name, value in {
                "Content-Type": payload.content_type,
                "Content-Length": str(len(payload.body)),
                "Expect": "100-continue",
            }.items():
                connection.putheader(name, value)
            connection.endheaders()
            came.append(_first_status(connection.sock))
            if came[0] in {None, http.HTTPStatus.CONTINUE}:
                connection.send(payload.body)

        return self._exchange(ANSWER_TIMEOUT, send), next(iter(came), None)

    def wait_until_ready(self, timeout: float) -> tuple[bool, str]:
        """Wait for the first 200 of /ping; return whether it came, and after how long or what came instead."""
        began = time.monotonic()
        with self.container.watched() as has_ended:
            last = self.ping()
            while last.status != 200:
                waited = time.monotonic() - began
                if has_ended():
                    return False, f"it ended after {waited:.0f} s: {self.container.last_words()}"
                if self._listens_elsewhere() and self.ping().status != 200:
                    return False, f"it answers on port {USUAL_PORT} instead of {self._port}"
                if waited > timeout:
                    return False, f"no 200 within {timeout:.0f} s; the last ping came to {last.summary()}"
                time.sleep(0.1)
                last = self.ping()
        return True, f"200 after {time.monotonic() - began:.1f} s"

    def _listens_elsewhere(self) -> bool:
        """Return whether a server that was to take another port is healthy on the usual one."""
        return self._port != USUAL_PORT and Server(self.container, USUAL_PORT).ping().status == 200

    def _find_address(self) -> tuple[str, int]:
        if self._address is None:
            self._address = self.container.address(self._port)
        return self._address


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _first_status(connection: socket.socket) -> int | None:
    """Return the status that comes within a second, and leave it to be read; None where none does."""
    until = time.monotonic() + _EXPECT_SECONDS
    while (left := until - time.monotonic()) > 0:
        if select.select([connection], [], [], left)[0]:
            found = _STATUS_LINE.match(connection.recv(64, socket.MSG_PEEK))
            if found:
                return int(found[1])
            time.sleep(0.01)  # the rest of the line is under way, or the server has hung up
    return None
