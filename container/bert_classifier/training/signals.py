"""Being told to stop: the handler only notes it, the loop asks, and whoever asks leaves at a safe place."""

import logging
import signal
from types import FrameType

logger = logging.getLogger(__name__)

# Not 0: an interrupted job must never be recorded as completed with a half-trained model.
STOPPED_EXIT_CODE = 143
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):  # noqa: N818 - not an error
    """The program was told to stop and has reached a place where it can."""


class StopSignal:
    """Whether SIGTERM, SIGINT or SIGHUP has come."""

    def __init__(self) -> None:
        self.received = ""

    def listen(self) -> None:
        """Take the signals over. As process 1 the program would otherwise not even notice SIGTERM."""
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def check(self) -> None:
        """Go on, or leave.

        Raises:
            Stopped: when a signal has come.
        """
        if self.received:
            raise Stopped(self.received)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C: now, not at a safe place
        self.received = signal.Signals(number).name
