"""What the signals that stop a server do before and after gunicorn handles them. Standard library only."""

import os
import signal

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def end_at_stops() -> None:
    """End at once with 0 when told to, until gunicorn sets its own handlers: PID 1 would ignore the signals."""
    for number in STOPS:
        signal.signal(number, lambda *_: os._exit(0))


def ignore_stops() -> None:
    """Let no further signal end a process that ends anyway: Python gives them their default action at its end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
