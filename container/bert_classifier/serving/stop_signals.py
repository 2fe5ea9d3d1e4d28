"""Signal handling of the server before and after gunicorn's own. Standard library only."""

import os
import signal

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_MEANINGLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)


def exit_on_stop_signals() -> None:
    """Exit with 0 on a stop signal until gunicorn sets its own handlers: PID 1 would ignore it by default.

    Ignore signals that ask other servers for a reload, a new log or more workers: by default, they kill.
    """
    for number in STOPS:
        signal.signal(number, lambda *_: os._exit(0))
    for number in _MEANINGLESS:
        signal.signal(number, signal.SIG_IGN)


def ignore_stop_signals() -> None:
    """Ignore stop signals in a process that exits anyway, since Python restores their default action at the end."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
