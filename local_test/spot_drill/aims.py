"""When the drill interrupts an attempt: decided by its log, not by the clock."""

import random
import time
from typing import Protocol

from spot_drill.attempts import EVALUATION, EXPORT, START, Attempt, Progress


class Aim(Protocol):
    """Decide when to interrupt an attempt."""

    def is_due(self, progress: Progress) -> bool:
        """Tell whether to interrupt now."""


def aim_at(phase: str, undisturbed: Attempt, left: int, rng: random.Random) -> Aim:
    """Return an aim at a phase of an attempt.

    Args:
        left: interruptions of training still to come, this one included, and one more for each aim that has missed:
            as many steps are kept free behind it.
    """
    if phase == START:
        return _AtStart(rng.uniform(0, 0.9) * undisturbed.first_step_after)
    if phase == EVALUATION:
        return _InPhase(EVALUATION, undisturbed.progress, 0.0)
    if phase == EXPORT:
        export_seconds = undisturbed.seconds - undisturbed.last_step_after
        return _InPhase(EXPORT, undisturbed.progress, rng.uniform(0, 0.8) * export_seconds)
    return _AtStep(undisturbed, left, rng)


class _AtStart:
    """Some seconds after the start, or at the first step if that comes sooner."""

    def __init__(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds

    def is_due(self, progress: Progress) -> bool:
        return progress.has_trained or time.monotonic() >= self._due


class _InPhase:
    """Some seconds after a phase has begun."""

    def __init__(self, phase: str, undisturbed: Progress, seconds: float) -> None:
        self._phase, self._undisturbed, self._seconds = phase, undisturbed, seconds
        self._due: float | None = None

    def is_due(self, progress: Progress) -> bool:
        if self._due is None and progress.phase(self._undisturbed) == self._phase:
            self._due = time.monotonic() + self._seconds
        return self._due is not None and time.monotonic() >= self._due


class _AtStep:
    """Within the step after a target, drawn once the attempt trains so that enough steps are left for later aims."""

    def __init__(self, undisturbed: Attempt, left: int, rng: random.Random) -> None:
        self._undisturbed, self._left, self._rng = undisturbed.progress, max(left, 1), rng
        training_seconds = undisturbed.last_step_after - undisturbed.first_step_after
        self._seconds = rng.uniform(0, 0.9) * training_seconds / max(undisturbed.reached, 1)
        self._target: int | None = None
        self._due: float | None = None

    def is_due(self, progress: Progress) -> bool:
        """Tell whether to interrupt now; never when no step is left that another one follows."""
        if self._target is None and progress.has_trained:
            self._target = self._choose(progress.step)
        if self._due is None and self._target is not None and progress.step >= self._target:
            self._due = time.monotonic() + self._seconds
        return self._due is not None and time.monotonic() >= self._due

    def _choose(self, step: int) -> int | None:
        targets = self._undisturbed.targets(step)
        share = self._rng.uniform(0, 2 / (self._left + 1))
        index = min(int(share * len(targets)), len(targets) - self._left)
        return targets[max(index, 0)] if targets else None
