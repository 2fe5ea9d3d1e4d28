"""The parent process, and the state that it shares with a worker."""

import mmap

from gunicorn.arbiter import Arbiter

from bert_classifier.serving.stop_signals import STOPS


class Outcome:
    """State that a worker shares with its parent: the exit code of a failed start, and whether it had a model."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2)  # anonymous: needs neither /dev/shm nor a file

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


class Parent(Arbiter):  # type: ignore[misc] # gunicorn has no type information
    """gunicorn's parent process without reload, upgrade and resizing, which need memory and a port twice."""

    SIGNALS = STOPS  # exit_on_stop_signals ignores the others
