"""Ctrl-C ends a command with exit code 130, whenever it comes: during its imports, at its work, at its end."""

import os
import signal

INTERRUPTED = 128 + signal.SIGINT  # a shell's exit code


def exit_on_ctrl_c() -> None:
    """Exit at once from now on: for the imports, which turn an exception into another, and for the end."""
    signal.signal(signal.SIGINT, _exit)


class CtrlCRaises:
    """Raise KeyboardInterrupt at the first Ctrl-C within the block, so that it cleans up; exit at the second.

    A class, since a generator that is interrupted at its end is closed by the interpreter, with a traceback.
    """

    def __init__(self) -> None:
        self._has_come = False

    def __enter__(self) -> None:
        self._former = signal.signal(signal.SIGINT, self._note)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise KeyboardInterrupt also where a library has swallowed it, or turned it into another exception."""
        signal.signal(signal.SIGINT, self._former)
        if self._has_come and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._has_come = True
        exit_on_ctrl_c()
        raise KeyboardInterrupt


def _exit(*_: object) -> None:
    os.write(2, b"stopped by Ctrl-C\n")
    os._exit(INTERRUPTED)
