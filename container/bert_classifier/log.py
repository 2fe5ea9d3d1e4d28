"""Logging, configured once and only by the entry points `train` and `serve`."""

import logging
import re
import sys
from typing import Any, TextIO

# Terminal, line and text direction controls, and lone surrogates, which no stream can encode.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class _Formatter(logging.Formatter):
    """Writes one line per record, tracebacks aside, and escapes control characters in data and file names."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        return "\n".join(_printable(line) for line in super().formatException(ei).split("\n"))


def _printable(text: str) -> str:
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def configure(level: str | int = "INFO", stream: TextIO | None = None, prefix: str = "") -> None:
    """Send the package's log to `stream` (default: standard output) at `level`, `prefix` before each message."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Formatter(f"%(asctime)s %(levelname)s {prefix}%(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("bert_classifier")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
