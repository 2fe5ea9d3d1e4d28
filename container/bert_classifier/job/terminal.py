"""A terminal that a person watches: whole lines above a progress bar, from all processes that share it.

Nothing coordinates the processes. A bar is the last, unended line; whoever writes a line first clears the one at which
the cursor stands, in the same system call, and the bar's owner draws it anew. Standard library only.
"""

import io
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TextIO

_CLEAR = "\r\x1b[K"  # the cursor's line (ECMA-48)
_MARGIN = 3  # columns that a bar leaves free: ^C, which terminals echo, must not wrap it
_USUAL_WIDTH = 80


class LinesAboveBar(io.TextIOBase):
    """A text stream in place of `stream`, a terminal, that writes whole lines above a bar.

    What has no end of line is held until it is flushed, or has a carriage return: bars of other libraries pass.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._held = ""
        self._is_at_start = True
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the terminal."""
        return self.stream.encoding

    def fileno(self) -> int:
        """Return the terminal's."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write a text, if it ends a line."""
        with _lock:
            self._held += text
            if "\n" in text or "\r" in text:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Write what is held, and have the bar redrawn below it."""
        with _lock:
            text, self._held = self._held, ""
            if not text:
                return
            is_bar = not self._is_at_start or text.startswith("\r")
            self.stream.write(text if is_bar else _CLEAR + text)
            self.stream.flush()
            self._is_at_start = text.endswith("\n")
            if self._is_at_start:
                _bar.redraw()


class _Bar:
    """The bar of this process; `redraw` draws it."""

    def __init__(self) -> None:
        self.redraw: Callable[[], None] = _nothing


def _nothing() -> None:
    pass


_lock = threading.RLock()
_bar = _Bar()


def use_terminal(environ: Mapping[str, str]) -> None:
    """Take over standard output and error where they are a terminal that can show a bar; not in a SageMaker job."""
    is_capable = environ.get("TERM", "dumb") != "dumb" and not environ.get("TRAINING_JOB_NAME")
    if is_capable and sys.stderr.isatty() and not isinstance(sys.stderr, LinesAboveBar):
        sys.stderr = LinesAboveBar(sys.stderr)
        if sys.stdout.isatty():
            sys.stdout = LinesAboveBar(sys.stdout)


def has_bar() -> bool:
    """Return whether a bar can be drawn on standard error."""
    return isinstance(sys.stderr, LinesAboveBar)


def is_watched() -> bool:
    """Return whether a person reads standard output, above a bar."""
    return has_bar() and isinstance(sys.stdout, LinesAboveBar)


def bar_stream() -> TextIO:
    """Return the stream to draw a bar on."""
    return sys.stderr.stream if isinstance(sys.stderr, LinesAboveBar) else sys.stderr


def bar_width() -> int:
    """Return the columns that a bar may fill now."""
    try:
        columns = os.get_terminal_size(bar_stream().fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(1, (columns or _USUAL_WIDTH) - _MARGIN)


def redraw_with(redraw: Callable[[], None] | None) -> None:
    """Draw the bar by this call after each line; None = there is no bar any more."""
    with _lock:
        _bar.redraw = redraw or _nothing
