"""The access log: one JSON line per request, without its content."""

import dataclasses
import datetime
import json
import logging
import sys
import time
from typing import Self, TextIO

from flask import Response, g, request

logger = logging.getLogger(__name__)

_QUIET_PATHS = (
    "/ping",
    "/metrics",
)  # polled every few seconds; the causes of their failures are logged elsewhere


def is_wanted() -> bool:
    """Return whether to log Flask's current request."""
    return request.path not in _QUIET_PATHS


def configure(stream: TextIO | None = None) -> None:
    """Send the access log to `stream` (default: standard output), without a prefix."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@dataclasses.dataclass
class Entry:
    """A line of the log; an unknown path is "-", since the caller may put anything there."""

    time: str
    method: str
    path: str
    status: int
    bytes_in: int | None
    bytes_out: int | None
    milliseconds: float
    began: dataclasses.InitVar[float]

    def __post_init__(self, began: float) -> None:
        """Keep the start time for write()."""
        self._began = began

    @classmethod
    def of_refusal(cls, status: int, bytes_out: int, began: float) -> Self:
        """Return the entry for a request that could not be parsed, whose bytes are unknown.

        Args:
            began: on time.monotonic's clock.
        """
        return cls(_now(), "-", "-", status, None, bytes_out, milliseconds=0.0, began=began)

    @classmethod
    def of_current_request(cls, response: Response) -> Self:
        """Return the entry for Flask's current request and its answer."""
        rule = request.url_rule
        return cls(
            time=_now(),
            method=request.method if rule is not None else "-",
            path=rule.rule if rule is not None else "-",
            status=response.status_code,
            bytes_in=request.content_length,
            bytes_out=response.content_length,
            milliseconds=0.0,
            began=g.began,
        )

    def write(self) -> None:
        """Log the entry, once the answer has been written or has failed."""
        self.milliseconds = round((time.monotonic() - self._began) * 1000, 2)
        logger.info("%s", json.dumps(dataclasses.asdict(self)))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
