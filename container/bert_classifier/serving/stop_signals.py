"""What the signals that stop a server do before and after gunicorn handles them. Standard library only."""

import os
import signal

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_MEANINGLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)


def end_at_stops() -> None:
    """End at once with 0 when told to, until gunicorn sets its own handlers: PID 1 would ignore the signals.

    Signals that ask for something else are ignored.
    """
    for number in STOPS:
        signal.signal(number, lambda *_: os._exit(0))
    ignore_meaningless()


def ignore_meaningless() -> None:
    """Ignore what asks servers in general for a reload, another log or more workers: by default it would kill."""
    for number in _MEANINGLESS:
        signal.signal(number, signal.SIG_IGN)


def ignore_stops() -> None:
    """Let no further signal end a process that ends anyway: Python gives them their default action at its end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
