"""Signals of a server, outside gunicorn's own handling of them. Standard library only."""

import os
import signal

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_MEANINGLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)


def end_at_stops() -> None:
    """Exit with 0 on a stop signal until gunicorn sets its own handlers: as PID 1 the process would ignore it.

    Ignore what asks servers in general for a reload, another log or more workers: by default it would kill.
    """
    for number in STOPS:
        signal.signal(number, lambda *_: os._exit(0))
    for number in _MEANINGLESS:
        signal.signal(number, signal.SIG_IGN)


def ignore_stops() -> None:
    """Let no further signal kill a process that exits anyway: Python restores their default action at its end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
