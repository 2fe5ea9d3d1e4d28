"""The ranks of a forked job (support/forked_jobs.py): each runs the rank's program, forked where torch is loaded."""

import os
import runpy
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from bert_classifier.training import rank, ranks

_FAULTS = Path(__file__).parent / "faulty_rank" / "sitecustomize.py"
_MOST_FILES = 4096
_OPEN_BESIDE = 3  # standard streams


class ForkedRank:
    """A rank's process, with what `ranks` uses of subprocess.Popen."""

    def __init__(self, environ: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _run(environ, arguments)

    def poll(self) -> int | None:
        """Return the exit code, minus the signal's number if one ended it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self) -> int:
        """Return the exit code once there is one."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def fork_ranks() -> None:
    """Let this process fork its ranks."""
    ranks.start_rank = ForkedRank  # type: ignore[assignment]


def _run(environ: Mapping[str, str], arguments: tuple[str, ...]) -> NoReturn:
    """Be the rank's program: a session of its own, its variables and arguments, and none of the launcher's files."""
    try:
        os.setsid()
        os.closerange(_OPEN_BESIDE, _MOST_FILES)
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv[1:] = arguments
        if os.environ.get("FAULTY_RANK"):
            runpy.run_path(str(_FAULTS))
        rank.main()
    except BaseException:  # noqa: BLE001 - it must not return into the launcher's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)
