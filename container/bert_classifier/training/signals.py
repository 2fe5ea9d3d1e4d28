"""Stop signals: the handler only records them; the program checks where it can stop safely."""

import contextlib
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any

# Not 0: an interrupted job must never be recorded as completed with a half-trained model.
STOPPED_EXIT_CODE = 143
DUMP_STACKS = signal.SIGUSR1  # makes a rank log its stack
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AGAIN_SECONDS = 0.01


class Stopped(BaseException):
    """Raised where the program can stop after a stop signal. Not an error: `except Exception` does not catch it."""


class StopSignal:
    """The stop signal received (SIGTERM, SIGINT or SIGHUP), as a number; 0 = none."""

    def __init__(self) -> None:
        self.number = 0
        self._stops_immediately = False
        self._is_leaving = False
        self._is_dropping = False

    def listen(self, signals: Collection[signal.Signals] = _SIGNALS) -> None:
        """Handle these signals. Process 1 of a container would otherwise ignore SIGTERM."""
        for number in signals:
            signal.signal(number, self._note)

    def check(self) -> None:
        """Stop if a signal has come.

        Raises:
            Stopped: when a signal has come.
        """
        if self.number:
            raise Stopped(signal_name(self.number))

    @contextlib.contextmanager
    def immediately(self) -> Iterator[None]:
        """Stop anywhere inside this `with`: for work before training that is abandoned, such as a user's Dataset.

        Raises:
            Stopped: when a signal has come, before or inside.
        """
        self._stops_immediately, self._is_leaving = True, False
        other_hook = sys.unraisablehook
        sys.unraisablehook = functools.partial(self._again, other_hook)
        try:
            self._abandon()
            yield
            self._abandon()  # in case the user's code swallowed the exception
        finally:
            self._stops_immediately = False
            sys.unraisablehook = other_hook

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C: stop now
        self.number = self.number or number  # of make train-local, Ctrl-C sends SIGINT and then SIGTERM
        if self._stops_immediately and not self._is_leaving:
            self._is_leaving = True  # a second signal must not disturb the cleanup
            self._abandon()

    def _again(self, other_hook: Callable[[Any], object], dropped: Any) -> None:
        """Stop again if Python dropped the exception: it does so in finalisers, and in callbacks of each import."""
        if not isinstance(dropped.exc_value, Stopped):
            other_hook(dropped)
            return
        self._is_dropping = True
        threading.Thread(target=self._signal_again, daemon=True).start()
        # As the last statement: what a handler raises in here would be dropped once more.
        self._is_dropping = False

    def _signal_again(self) -> None:
        while self._is_dropping:
            time.sleep(_AGAIN_SECONDS)
        self._is_leaving = False
        main = threading.main_thread().ident
        assert main
        signal.pthread_kill(main, signal.SIGTERM)

    def _abandon(self) -> None:
        if self.number:
            raise Stopped(f"{signal_name(self.number)} before training began: nothing is lost")


def signal_name(number: int) -> str:
    """Return a signal's name, such as SIGTERM."""
    return signal.Signals(number).name
