"""Ctrl-C while a request is under way: held back until it is known what the request has started."""

import contextlib
import signal
from collections.abc import Iterator


class Interrupts:
    """Ctrl-C that was typed while it was held back."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, *_: object) -> None:
        """Remember one; whoever types a second one does not want to wait for an answer.

        Raises:
            KeyboardInterrupt: from the second one on.
        """
        self._count += 1
        if self._count > 1:
            raise KeyboardInterrupt

    def stop_here(self) -> None:
        """Stop where nothing is under way.

        Raises:
            KeyboardInterrupt: when one was typed.
        """
        if self._count:
            raise KeyboardInterrupt


@contextlib.contextmanager
def held() -> Iterator[Interrupts]:
    """Hold Ctrl-C back within the block; `stop_here` lets it through, there or later.

    Libraries below would swallow it, or leave it open whether a request was sent.
    """
    interrupts = Interrupts()
    former = signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, former)
