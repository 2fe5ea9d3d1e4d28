"""The parent process, and the state that it shares with a worker."""

import mmap

from gunicorn.arbiter import Arbiter

from bert_classifier.serving.stop_signals import STOPS


class Outcome:
    """State that a worker shares with its parent.

    It is the exit code of a failed start, whether the worker had a model, and whether the parent itself stops.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 3)  # anonymous: needs neither /dev/shm nor a file

    @property
    def exit_code(self) -> int:
        """Exit code of the failure that ended the start; 0: none."""
        return self._memory[0]

    @exit_code.setter
    def exit_code(self, code: int) -> None:
        """Set it; in the worker."""
        self._memory[0] = code

    @property
    def was_ready(self) -> bool:
        """Whether the current worker has loaded its model."""
        return bool(self._memory[1])

    @was_ready.setter
    def was_ready(self, is_ready: bool) -> None:
        """Set it; in the worker."""
        self._memory[1] = is_ready

    @property
    def is_last(self) -> bool:
        """Whether no worker follows the current one, since the parent stops."""
        return bool(self._memory[2])

    def note_stop(self) -> None:
        """Say that the parent stops; in the parent."""
        self._memory[2] = True


class Parent(Arbiter):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn's parent process without reload, upgrade and resizing, which need memory and a port twice."""

    SIGNALS = STOPS  # exit_on_stop_signals ignores the others

    def stop(self, graceful: bool = True) -> None:
        """Stop the worker, which learns that no other follows it."""
        self.app.outcome.note_stop()
        super().stop(graceful)
