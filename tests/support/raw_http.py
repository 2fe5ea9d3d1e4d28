"""Bytes to a server on loopback, and what comes back: for requests that no client library would send."""

import json
import socket
from typing import Any


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes and no more, and return all that comes back; nothing if cut off while still sending."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""


def status_of(answer: bytes) -> int:
    """Return the status of the first answer."""
    return int(answer.split(b" ", 2)[1])


def json_of(answer: bytes) -> Any:
    """Return the body of a single answer."""
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])
