"""Ctrl-C ends a command with exit code 130, whenever it comes: during its imports, at its work, at its end."""

import contextlib
import os
import signal
from collections.abc import Iterator

INTERRUPTED = 128 + signal.SIGINT  # a shell's exit code


def exit_on_ctrl_c() -> None:
    """Exit at once from now on: for the imports, which turn an exception into another, and for the end."""
    signal.signal(signal.SIGINT, _exit)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first Ctrl-C within the block, so that it cleans up; exit at the second.

    Raises:
        KeyboardInterrupt: also where a library has swallowed it, or turned it into another exception.
    """
    has_come = False

    def note(*_: object) -> None:
        nonlocal has_come
        has_come = True
        exit_on_ctrl_c()
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGINT, note)
    try:
        yield
    except BaseException as error:
        if has_come and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, former)
    if has_come:
        raise KeyboardInterrupt


def _exit(*_: object) -> None:
    os.write(2, b"stopped by Ctrl-C\n")
    os._exit(INTERRUPTED)
