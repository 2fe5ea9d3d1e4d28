"""Being told to stop: the handler only notes it, the loop asks, and whoever asks leaves at a safe place."""

import contextlib
import signal
from collections.abc import Collection, Iterator
from types import FrameType

# Not 0: an interrupted job must never be recorded as completed with a half-trained model.
STOPPED_EXIT_CODE = 143
DUMP_STACKS = signal.SIGUSR1  # to a rank: log where you are
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """The program was told to stop and has reached a place where it can; no error, so `except Exception` lets it by."""


class StopSignal:
    """Which of SIGTERM, SIGINT and SIGHUP has come, as a number; 0 = none."""

    def __init__(self) -> None:
        self.number = 0
        self._leaves_at_once = False

    def listen(self, signals: Collection[signal.Signals] = _SIGNALS) -> None:
        """Take the signals over. As process 1 the program would otherwise not even notice SIGTERM."""
        for number in signals:
            signal.signal(number, self._note)

    def check(self) -> None:
        """Go on, or leave.

        Raises:
            Stopped: when a signal has come.
        """
        if self.number:
            raise Stopped(signal_name(self.number))

    @contextlib.contextmanager
    def immediately(self) -> Iterator[None]:
        """Leave wherever the program is, for the time of a `with` in which every place is safe.

        Nothing inside may need an end of its own; it need not ask, so that code of others, such as a Dataset, is
        left as well.

        Raises:
            Stopped: when a signal has come, before or inside.
        """
        self._leaves_at_once = True
        try:
            self.check()
            yield
        finally:
            self._leaves_at_once = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C: now, not at a safe place
        self.number = number
        if self._leaves_at_once:
            self._leaves_at_once = False  # once: another signal must not disturb the leaving
            self.check()


def signal_name(number: int) -> str:
    """Return such as SIGTERM."""
    return signal.Signals(number).name
