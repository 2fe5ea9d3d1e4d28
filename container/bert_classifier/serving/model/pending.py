"""The results of one request to the model, when it had its turn, and the errors of one that has none."""

import time
from concurrent.futures import Future
from typing import TypeVar

from bert_classifier.errors import RequestError

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


def timeout_error() -> RequestError:
    """Return the error for a request past its deadline."""
    return RequestError(
        504, "timeout", "The answer was not ready in time.", "Send fewer or shorter texts at once."
    )


def ended_error() -> RequestError:
    """Return the error for a request that a model will not answer any more."""
    return RequestError(503, "not_ready", "The server is stopping or has failed.", "Try again in a moment.")
