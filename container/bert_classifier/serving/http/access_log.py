"""The access log: one JSON line per request, without its content.

A thread of its own writes the lines, in batches, a moment after the answers: writing is a system call, at which a
thread gives the interpreter away, and this happened once per request.
"""

import contextlib
import datetime
import json
import re
import select
import sys
import threading
import time
from collections import deque
from typing import Any, TextIO

from flask import Response, current_app, request
from werkzeug.exceptions import MethodNotAllowed

from bert_classifier.serving.http.observation import Observation
from bert_classifier.serving.http.request_body import declared_length

QUIET_PATHS = (
    "/ping",
    "/metrics",
)  # polled every few seconds; the causes of their failures are logged elsewhere
_INFERENCE_ID = re.compile(r"[!-~][ -~]{0,63}")  # as the API of SageMaker defines it
# AWS documents the first for streams only; the others are what its services and load balancers add.
_REQUEST_IDS = ("HTTP_X_AMZN_SAGEMAKER_REQUEST_ID", "HTTP_X_AMZN_REQUESTID", "HTTP_X_AMZN_TRACE_ID")
_REQUEST_ID = re.compile(r"[0-9A-Za-z=;:._-]{1,128}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_PAUSE_S = 0.25  # between batches: each wakes a thread whose memory the cores' caches have forgotten
# Bytes that the kernel writes to a pipe undivided, whoever else writes to it.
_MOST_AT_ONCE = select.PIPE_BUF
_MOST_WAITING = 10_000
_LAST_WAIT_S = 2.0  # at the end of the process
_WHERE_KNOWN = ("code", "type_in", "csv", "records", "errors", "truncated", "unsure", "labels", "unlabelled")


class _Writer:
    """Writes entries in the order in which they come."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._entries: deque[Entry] = deque()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Write from now on, in the process that serves: no thread survives a fork."""
        threading.Thread(target=self._run, name="access-log", daemon=True).start()

    def add(self, entry: "Entry") -> None:
        """Have an entry written; where very many wait for the reader of the log, wait with them."""
        self._entries.append(entry)
        if len(self._entries) > _MOST_WAITING:
            self.flush()

    def _run(self) -> None:
        while True:
            time.sleep(_PAUSE_S)
            with contextlib.suppress(MemoryError):  # this worker is replaced then
                self.flush()

    def wait(self, seconds: float) -> None:
        """Wait until the thread has written all entries, for some seconds at most: writing itself may block."""
        until = time.monotonic() + seconds
        while (self._entries or self._lock.locked()) and time.monotonic() < until:
            time.sleep(_PAUSE_S / 10)

    def flush(self) -> None:
        """Write all entries that have come."""
        with self._lock:
            lines = ""
            while self._entries:
                line = self._entries.popleft().line()  # ASCII: as many bytes as characters
                if lines and len(lines) + len(line) > _MOST_AT_ONCE:
                    self._write(lines)
                    lines = ""
                lines += line
            if lines:
                self._write(lines)

    def _write(self, lines: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(lines)
            self._stream.flush()


_writer: _Writer | None = None  # for Python's own log, too, there is one in a process


def configure(stream: TextIO | None = None) -> None:
    """Send the access log to `stream` (default: standard output), without a prefix."""
    global _writer
    _writer = _Writer(stream or sys.stdout)


def start() -> None:
    """Begin to write, in the process that serves."""
    if _writer is not None:
        _writer.start()


def flush() -> None:
    """Write what has not been written yet."""
    if _writer is not None:
        _writer.flush()


def finish() -> None:
    """Wait until all is written, before the process ends, but not long for a reader who reads no more."""
    if _writer is not None:
        _writer.wait(_LAST_WAIT_S)


class Entry:
    """A line of the log.

    It always has time, method, path, status, bytes_in, bytes_out and milliseconds; further fields where they are known.
    An unknown path or method is "-", since the caller may put anything there.
    """

    def __init__(self, fields: dict[str, Any], observation: Observation) -> None:
        self._fields = fields
        self._observation = observation

    @classmethod
    def of_refusal(cls, status: int, code: str, bytes_out: int, began: float) -> "Entry":
        """Return the entry for a request that could not be parsed, whose bytes are unknown.

        Args:
            began: on time.monotonic's clock.
        """
        observation = Observation(began, code)
        observation.end()
        return cls(_fields("-", "-", status, None, bytes_out, "application/json"), observation)

    @classmethod
    def of_current_request(cls, response: Response, observation: Observation) -> "Entry":
        """Return the entry for Flask's current request and its answer."""
        environ = request.environ
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "-"
        status, bytes_in, bytes_out = response.status_code, declared_length(environ), response.content_length
        fields = _fields(method, _served_path(), status, bytes_in, bytes_out, response.mimetype)
        inference_id = environ.get("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID", "")
        if _INFERENCE_ID.fullmatch(inference_id):
            fields["inference_id"] = inference_id
        for name in _REQUEST_IDS:
            if _REQUEST_ID.fullmatch(environ.get(name, "")):
                fields["request_id"] = environ[name]
                break
        return cls(fields, observation)

    def write(self) -> None:
        """Log the entry, once the answer has been written or has failed."""
        if _writer is not None:
            _writer.add(self)

    def line(self) -> str:
        """Return the entry's line."""
        fields, observation = self._fields, self._observation
        fields["time"] = datetime.datetime.fromtimestamp(fields["time"], datetime.UTC).isoformat(
            timespec="milliseconds"
        )
        fields["milliseconds"] = _milliseconds(observation.total)
        for name in _WHERE_KNOWN:
            if (value := getattr(observation, name)) is not None:
                fields[name] = value
        if "body" in observation.seconds:
            fields["stages"] = {
                stage: _milliseconds(seconds) for stage, seconds in observation.seconds.items()
            }
        return f"{json.dumps(fields)}\n"


def _served_path() -> str:
    """Return the path of Flask's current request, "-" where there is no such path; with any method, it is there."""
    rule = request.url_rule
    if rule is not None:
        return rule.rule
    is_served = isinstance(request.routing_exception, MethodNotAllowed)
    rules = (each.rule for each in current_app.url_map.iter_rules()) if is_served else ()
    return next((known for known in rules if known == request.path), "-")


def _fields(
    method: str, path: str, status: int, bytes_in: int | None, bytes_out: int | None, type_out: str | None
) -> dict[str, Any]:
    return {
        "time": time.time(),
        "method": method,
        "path": path,
        "status": status,
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "milliseconds": 0.0,
        "type_out": type_out,
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
