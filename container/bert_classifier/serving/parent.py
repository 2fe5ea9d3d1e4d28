"""The parent process: what it does with signals and with a worker that died, and what a worker tells it."""

import contextlib
import logging
import mmap
import os
import signal
from typing import NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from bert_classifier.errors import PlatformError, failure_text

logger = logging.getLogger(__name__)

_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)


class Outcome:
    """What the worker tells its parent in shared memory: a failure's exit code; that a model was ready."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2)  # anonymous: needs neither /dev/shm nor a file

    @property
    def exit_code(self) -> int:
        """Exit code of the failure that ended the start; 0: none."""
        return self._memory[0]

    @exit_code.setter
    def exit_code(self, code: int) -> None:
        """Tell it; in the worker."""
        self._memory[0] = code

    @property
    def was_ready(self) -> bool:
        """Whether the present worker has got as far as a model."""
        return bool(self._memory[1])

    @was_ready.setter
    def was_ready(self, is_ready: bool) -> None:
        """Tell it; in the worker."""
        self._memory[1] = is_ready


class Parent(Arbiter):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn's parent process, which here starts and stops, and does nothing else by signal.

    What it would do on others (another model beside the first, more workers, another program in its place)
    needs memory and a port that a container does not have twice.
    """

    last_signal = 0  # that has ended a worker; 0: none, it ended itself

    def _ignore(self) -> None:
        logger.info("a signal that has no meaning here is ignored; SIGTERM stops the server")

    handle_hup = handle_usr2 = handle_ttin = handle_ttou = handle_winch = _ignore

    def reap_workers(self) -> None:
        """Note how a worker has ended before gunicorn forgets it."""
        for pid in self.WORKERS:
            with contextlib.suppress(ChildProcessError):
                ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is not None:
                    self.last_signal = 0 if ended.si_code == os.CLD_EXITED else ended.si_status
        super().reap_workers()

    def refuse_to_go_on(self) -> NoReturn:
        """End, since a worker has died before there was a model: the next would too.

        Raises:
            HaltServer: with the exit code, which ends gunicorn.
        """
        error = _death_of(self.last_signal)
        logger.error("%s", failure_text(error))
        raise HaltServer(error.cause, error.exit_code)


def _death_of(number: int) -> PlatformError:
    if number in (0, signal.SIGKILL):
        return PlatformError(
            "The worker died while it loaded the model.",
            "Most likely memory ran out: choose a larger instance.",
        )
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal
        name = f"signal {number}"
    what = "a library has crashed" if number in _CRASHES else "somebody has sent it"
    return PlatformError(
        f"The worker was ended by {name} while it loaded the model.", f"Start it again: {what}."
    )
