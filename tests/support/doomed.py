"""Work in a forked process that dies in the middle of it, at the file operation that the test names."""

import os
import signal
import sys
from collections.abc import Callable

_AUDITED = {"open", "os.rename", "os.remove", "os.listdir", "os.scandir"}
_PATCHED = ("fsync", "fchmod", "close")


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process and return its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a test's child must never come back into the test run
            os._exit(9)
    return os.waitpid(child, 0)[1]


def die_at(number: int, work: Callable[[], object]) -> Callable[[], None]:
    """Return `work` so that SIGKILL hits its process before file operation `number`."""

    def doomed() -> None:
        done = 0

        def tick(*_: object) -> object:
            nonlocal done
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return done

        sys.addaudithook(lambda event, _: tick() if event in _AUDITED else None)
        for name in _PATCHED:
            original = getattr(os, name)
            setattr(os, name, lambda *a, _original=original: (tick(), _original(*a))[1])
        work()

    return doomed
