"""Logging, configured once and only by the entry points `train` and `serve`."""

import logging
import re
import sys
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class _Formatter(logging.Formatter):
    """One line a record; control characters of data or file names never reach the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", super().format(record))


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the package's log to `stream` (default: standard output) at `level`."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("bert_classifier")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
