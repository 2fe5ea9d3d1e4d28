"""The access log: one JSON line per request, without its content."""

import datetime
import json
import logging
import re
import sys
from typing import Any, TextIO

from flask import Response, request

from bert_classifier.serving.http.observation import Observation

logger = logging.getLogger(__name__)

QUIET_PATHS = (
    "/ping",
    "/metrics",
)  # polled every few seconds; the causes of their failures are logged elsewhere
_INFERENCE_ID = re.compile(r"[!-~][ -~]{0,63}")  # as the API of SageMaker defines it
# AWS documents the first for streams only; the others are what its services and load balancers add.
_REQUEST_IDS = ("HTTP_X_AMZN_SAGEMAKER_REQUEST_ID", "HTTP_X_AMZN_REQUESTID", "HTTP_X_AMZN_TRACE_ID")
_REQUEST_ID = re.compile(r"[0-9A-Za-z=;:._-]{1,128}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_WHERE_KNOWN = ("code", "type_in", "csv", "records", "errors", "truncated", "unsure")


def configure(stream: TextIO | None = None) -> None:
    """Send the access log to `stream` (default: standard output), without a prefix."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


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
        rule = request.url_rule
        method = request.method if request.method in _METHODS else "-"
        path = "-" if rule is None else rule.rule
        status, bytes_in, bytes_out = response.status_code, request.content_length, response.content_length
        fields = _fields(method, path, status, bytes_in, bytes_out, response.mimetype)
        environ = request.environ
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
        fields, observation = self._fields, self._observation
        fields["milliseconds"] = _milliseconds(observation.total)
        for name in _WHERE_KNOWN:
            if (value := getattr(observation, name)) is not None:
                fields[name] = value
        if "body" in observation.seconds:
            fields["stages"] = {
                stage: _milliseconds(seconds) for stage, seconds in observation.seconds.items()
            }
        logger.info("%s", json.dumps(fields))


def _fields(
    method: str, path: str, status: int, bytes_in: int | None, bytes_out: int | None, type_out: str | None
) -> dict[str, Any]:
    time_now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return {
        "time": time_now,
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
