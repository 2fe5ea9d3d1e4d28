"""Ask DuckDB about a file, in bounded memory and without losing a stop signal.

Standard library only, until a reader is opened: then DuckDB is imported.
"""

import contextlib
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from bert_classifier.errors import UserError

MEMORY_LIMIT = "1GB"
_ROWS_AT_A_TIME = 2048  # what DuckDB decodes at a time
_SETTINGS: dict[str, Any] = {
    # Making Python's values of the rows, which one thread does, takes most of the time.
    "threads": 1,
    "async_threads": 1,
    "pin_threads": "off",
    "memory_limit": MEMORY_LIMIT,
    "temp_directory": "",  # write nothing
    "autoinstall_known_extensions": False,  # download nothing
    "autoload_known_extensions": False,
    "enable_external_file_cache": False,
}
# A row group may hold the whole file: read its pages as they are needed, not all at once. Print nothing.
_PREPARE = "SET disable_parquet_prefetching = true; SET enable_progress_bar = false; SET TimeZone = 'UTC'"
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")

Rows = list[tuple[Any, ...]]


class DuckdbReader:
    """A database in memory that is asked about one file."""

    def __init__(self, name: str, connection: Any) -> None:
        self._name = name
        self._connection = connection

    def ask(self, query: str, values: Sequence[object]) -> Rows:
        """Return all rows of the answer to a query.

        Raises:
            UserError: when the file cannot be read.
        """
        return [row for batch in self.stream(query, values) for row in batch]

    def stream(self, query: str, values: Sequence[object]) -> Iterator[Rows]:
        """Yield the rows of the answer in batches.

        Raises:
            UserError: when the file cannot be read, or where it is damaged.
        """
        with _understood(self._name), signals_deferred():
            self._connection.execute(query, values)
        while True:
            with _understood(self._name), signals_deferred():
                batch: Rows = self._connection.fetchmany(_ROWS_AT_A_TIME)
            if not batch:
                return
            yield batch


@contextlib.contextmanager
def open_reader(name: str) -> Iterator[DuckdbReader]:
    """Open a reader; its thread ends with the `with`.

    Args:
        name: of the file, in messages.
    Raises:
        UserError: when DuckDB is not installed.
    """
    connection = _connect(name)
    try:
        yield DuckdbReader(name, connection)
    finally:
        with signals_deferred():
            connection.close()


def _connect(name: str) -> Any:
    with signals_deferred():
        try:
            import duckdb
        except ImportError as error:
            raise UserError(
                f"{name} is Parquet, and the package that reads it, duckdb, is not installed.",
                "Run make setup (or pip install duckdb), or save the file as CSV or JSON Lines.",
            ) from error
        connection = duckdb.connect(":memory:", config=_SETTINGS)
        connection.execute(_PREPARE)
        return connection


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Call the handlers of signals that come inside this `with` at its end.

    DuckDB calls them while it works, and replaces what they raise by an error of its own; while it is imported, such an
    exception would end the process.
    """
    received: list[tuple[int, FrameType | None]] = []
    handlers = {} if _in_another_thread() else {one: signal.getsignal(one) for one in signal.valid_signals()}
    deferred = {one: handler for one, handler in handlers.items() if callable(handler)}
    try:
        for one in deferred:
            signal.signal(one, lambda *signalled: received.append(signalled))
        yield
    finally:
        for one, handler in deferred.items():
            signal.signal(one, handler)
        for number, frame in received:
            deferred[signal.Signals(number)](number, frame)


def _in_another_thread() -> bool:
    """Return whether this is a thread in which Python calls no signal handlers."""
    return threading.current_thread() is not threading.main_thread()


@contextlib.contextmanager
def _understood(name: str) -> Iterator[None]:
    """Turn DuckDB's errors into a UserError that quotes nothing of the data."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise UserError(
            f"{name} cannot be read in {MEMORY_LIMIT} of memory: its texts or pages are too large.",
            "Write it with smaller pages, or save it as CSV or JSON Lines.",
        ) from error
    except duckdb.Error as error:
        raise _unreadable(name, str(error)) from error


def _unreadable(name: str, message: str) -> UserError:
    if "encrypt" in message.lower():
        return UserError(f"{name} is encrypted Parquet.", "Write it without encryption.")
    if "UTF8" in message:
        cause = f"{name} holds a string that is not UTF-8."
        return UserError(cause, "Write its text columns as UTF-8.")
    reason = _QUOTED.sub("…", message.splitlines()[0].partition(": ")[2]).rstrip(".")
    return UserError(
        f"{name} cannot be read as Parquet ({reason}).",
        "Write or copy it again, or save it as CSV or JSON Lines.",
    )
