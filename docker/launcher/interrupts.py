"""Hold Ctrl-C back during a request, until it is known what the request has started."""

import contextlib
import signal
from collections.abc import Iterator


class Interrupts:
    """Counts Ctrl-C while it is held back."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, *_: object) -> None:
        """Count one; a second one means that nobody wants to wait for the answer.

        Raises:
            KeyboardInterrupt: from the second one on.
        """
        self._count += 1
        if self._count > 1:
            raise KeyboardInterrupt

    def stop_here(self) -> None:
        """Stop at a point where no request is under way.

        Raises:
            KeyboardInterrupt: when Ctrl-C was typed.
        """
        if self._count:
            raise KeyboardInterrupt


@contextlib.contextmanager
def held() -> Iterator[Interrupts]:
    """Hold Ctrl-C back within the block; `stop_here` lets it through, within the block or later.

    Libraries would swallow it, or leave open whether a request was sent.
    """
    interrupts = Interrupts()
    former = signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, former)
