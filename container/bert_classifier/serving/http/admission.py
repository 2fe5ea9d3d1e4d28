"""Admission control: refuse requests beyond the limits before doing any work for them."""

import threading
from typing import Self

from bert_classifier.errors import RequestError


class Budget:
    """A limited amount of something, shared by all threads."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def try_take(self, amount: int) -> bool:
        """Take an amount if it is available; return whether it was."""
        with self._lock:
            if amount > self._left:
                return False
            self._left -= amount
            return True

    def give(self, amount: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += amount


class Admission:
    """What one request holds of the budgets, until `release`."""

    def __init__(self, requests: Budget, body_bytes: Budget) -> None:
        self._requests = requests
        self._body_bytes = body_bytes
        self._bytes_taken = 0
        self._is_admitted = False

    def enter(self) -> Self:
        """Admit one request.

        Raises:
            RequestError: 429 when there are too many.
        """
        if not self._requests.try_take(1):
            raise _overloaded("Too many concurrent requests.")
        self._is_admitted = True
        return self

    def take_bytes(self, amount: int) -> None:
        """Take memory for part of a body.

        Raises:
            RequestError: 429 when the bodies in progress are too large in total.
        """
        if not self._body_bytes.try_take(amount):
            raise _overloaded("The bodies of the requests in progress are too large in total.")
        self._bytes_taken += amount

    def release_bytes(self) -> None:
        """Give the body's memory back."""
        self._body_bytes.give(self._bytes_taken)
        self._bytes_taken = 0

    def release(self) -> None:
        """Give everything back; idempotent."""
        self.release_bytes()
        if self._is_admitted:
            self._is_admitted = False
            self._requests.give(1)


def _overloaded(cause: str) -> RequestError:
    return RequestError(429, "overloaded", cause, "Try again in a moment.")
