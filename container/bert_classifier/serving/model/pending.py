"""The results of one request to the model, and when it had its turn."""

import time
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Pending(Future[list[T | Exception]]):
    """The results of one request, once they are there.

    Attributes:
        taken_at: when a pass took the first text, on time.monotonic's clock; None while all wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken_at: float | None = None
        self._came = time.monotonic()

    def note_taken(self, now: float) -> float:
        """Note that a pass takes the first text, and return the seconds that it waited."""
        self.taken_at = now
        return now - self._came
