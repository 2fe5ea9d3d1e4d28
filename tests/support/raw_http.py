"""Bytes to a server on loopback, and what comes back: for requests that no client library would send."""

import json
import re
import socket
from typing import Any

from support.patience import PATIENCE_S


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes and no more, and return all that comes back; nothing if cut off while still sending."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""


def read_answer(connection: socket.socket) -> bytes:
    """Return the next answer, whose length its head gives, from a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(connection)
    head, body = answer.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65536)):
        raise ConnectionError("the answer has no end")
    return data


def status_of(answer: bytes) -> int:
    """Return the status of the first answer."""
    return int(answer.split(b" ", 2)[1])


def json_of(answer: bytes) -> Any:
    """Return the body of a single answer."""
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])
