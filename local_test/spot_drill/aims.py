"""When the interruption drill interrupts an attempt: told by what its log shows, not by the clock."""

import random
import time
from typing import Protocol

from spot_drill.attempts import EVALUATION, EXPORT, START, Attempt, Course


class Aim(Protocol):
    """Decides when an attempt is interrupted."""

    def is_due(self, course: Course) -> bool:
        """Say whether now is the moment."""


def aim_at(phase: str, peace: Attempt, left: int, rng: random.Random) -> Aim:
    """Return an aim at a phase of an attempt.

    Args:
        peace: the undisturbed run.
        left: interruptions of training that are still to come, this one counted.
    """
    if phase == START:
        return _AtStart(rng.uniform(0, 0.9) * peace.first_step_after)
    if phase == EVALUATION:
        return _InPhase(EVALUATION, peace.course, 0.0)
    if phase == EXPORT:
        return _InPhase(EXPORT, peace.course, rng.uniform(0, 0.8) * (peace.seconds - peace.last_step_after))
    return _AtStep(peace, left, rng)


class _AtStart:
    """Some seconds after the start, or with the first step if that is sooner."""

    def __init__(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds

    def is_due(self, course: Course) -> bool:
        """Say whether now is the moment."""
        return course.has_trained or time.monotonic() >= self._due


class _InPhase:
    """Some seconds after a phase has begun."""

    def __init__(self, phase: str, peace: Course, seconds: float) -> None:
        self._phase, self._peace, self._seconds = phase, peace, seconds
        self._due: float | None = None

    def is_due(self, course: Course) -> bool:
        """Say whether now is the moment."""
        if self._due is None and course.phase(self._peace) == self._phase:
            self._due = time.monotonic() + self._seconds
        return self._due is not None and time.monotonic() >= self._due


class _AtStep:
    """After a step that is chosen once the attempt does its first, so that the steps left serve those still to come."""

    def __init__(self, peace: Attempt, left: int, rng: random.Random) -> None:
        self._peace, self._left, self._rng = peace.course, max(left, 1), rng
        step_seconds = (peace.last_step_after - peace.first_step_after) / max(peace.reached, 1)
        self._seconds = rng.uniform(0, 0.9) * step_seconds  # within the step that follows
        self._target: int | None = None
        self._due: float | None = None

    def is_due(self, course: Course) -> bool:
        """Say whether now is the moment; never, when no step is left that another one follows."""
        if self._target is None and course.has_trained:
            self._target = self._choose(course.step)
        if self._due is None and self._target is not None and course.step >= self._target:
            self._due = time.monotonic() + self._seconds
        return self._due is not None and time.monotonic() >= self._due

    def _choose(self, step: int) -> int | None:
        targets = self._peace.targets(step)
        share = self._rng.uniform(0, 2 / (self._left + 1))
        index = min(int(share * len(targets)), len(targets) - self._left)
        return targets[max(index, 0)] if targets else None
