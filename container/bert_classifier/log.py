"""Logging, configured once and only by the entry points `train`, `serve` and `evaluate`.

Some records are for one kind of reader: `logger.info(…, extra=METRICS)` for the metric services that read the log of a
job, `extra=PEOPLE` for a person at a terminal, who sees the same numbers in words. `extra=CLOSING` makes a line of the
paragraph that ends a command: at a terminal, it stands there without the time.
"""

import logging
import re
import sys
from typing import Any, TextIO

# Terminal, line and text direction controls, and lone surrogates, which no stream can encode.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


METRICS = {"reader": "service"}
PEOPLE = {"reader": "person"}
CLOSING = {"is_closing": True}


class _Formatter(logging.Formatter):
    """Writes one line per record, tracebacks aside, and escapes control characters in data and file names."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        return "\n".join(_printable(line) for line in super().formatException(ei).split("\n"))


def _printable(text: str) -> str:
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class _TerminalFormatter(_Formatter):
    """Writes the time of day alone, and the level only where it is not INFO."""

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, "is_closing", False):
            return _printable(record.getMessage())
        record.shown_level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        return super().format(record)


def configure(
    level: str | int = "INFO", stream: TextIO | None = None, prefix: str = "", *, is_watched: bool = False
) -> None:
    """Send the package's log to `stream` (default: standard output) at `level`, `prefix` before each message.

    Args:
        is_watched: whether a person reads it at a terminal.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    if is_watched:
        handler.setFormatter(
            _TerminalFormatter(f"%(asctime)s %(shown_level)s{prefix}%(message)s", "%H:%M:%S")
        )
    else:
        handler.setFormatter(
            _Formatter(f"%(asctime)s %(levelname)s {prefix}%(message)s", "%Y-%m-%dT%H:%M:%S")
        )
    left_out = METRICS if is_watched else PEOPLE
    handler.addFilter(lambda record: getattr(record, "reader", "") != left_out["reader"])
    logger = logging.getLogger("bert_classifier")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def show_metrics() -> None:
    """Show the records for metric services at a terminal too."""
    for handler in logging.getLogger("bert_classifier").handlers:
        if isinstance(handler.formatter, _TerminalFormatter):
            handler.filters.clear()
