"""What an attempt of the interruption drill did, as its log shows it: steps, phase, and what an interruption hit."""

import dataclasses
import re
import signal
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

STOPPED = 143
START, TRAINING, EVALUATION, EXPORT = PHASES = ("start", "training", "evaluation", "export")
HEAD = "attempt  signal   exit  ranks  phase       resumed from  at step  steps lost  seconds"
_STEP = re.compile(r" step=(\d+) total_steps=(\d+) ")
_EVALUATED = re.compile(r" step=(\d+) eval_loss=")
_RESUMED = re.compile(r"resuming from step (\d+)|(finished) at step (\d+)")
_DEATHS = {"SIGKILL": {-signal.SIGKILL}, "SIGTERM": {STOPPED, -signal.SIGTERM}}


@dataclasses.dataclass
class Course:
    """How far an attempt has come.

    Attributes:
        resumed_from: the step of the checkpoint that it took up; 0 = none.
        step: the last one that is done.
        evaluated: the steps after which this attempt has evaluated.
        has_trained: whether it has done a step.
        is_finished: whether there was nothing left to train when it began.
    """

    resumed_from: int = 0
    step: int = 0
    total_steps: int = 0
    evaluated: list[int] = dataclasses.field(default_factory=list)
    has_trained: bool = False
    is_finished: bool = False

    def note(self, line: str) -> None:
        """Take in one line of the log."""
        if found := _STEP.search(line):
            self.step, self.total_steps, self.has_trained = int(found[1]), int(found[2]), True
        elif found := _EVALUATED.search(line):
            self.evaluated.append(int(found[1]))
        elif found := _RESUMED.search(line):
            self.resumed_from = self.step = int(found[1] or found[3])
            self.is_finished = bool(found[2])

    def phase(self, peace: "Course") -> str:
        """Return what the program is doing, given the course of the undisturbed run."""
        is_evaluated = self.step in self.evaluated or self.step not in peace.evaluated
        if self.is_finished or (self.step >= peace.step and is_evaluated):
            return EXPORT
        if not is_evaluated and (self.has_trained or self.step >= peace.step):
            return EVALUATION
        return TRAINING if self.has_trained else START

    def targets(self, after: int = 0) -> list[int]:
        """Return the steps from `after` on that are followed by another step, not by an evaluation or the end."""
        return [step for step in range(max(after, 1), self.step) if step not in self.evaluated]


class LogReader:
    """Follows the log of a running attempt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self.course = Course()

    def read(self) -> Course:
        """Return the course, with the lines that came since the last time."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode("utf-8", errors="replace").splitlines():
            self.course.note(line)
        return self.course


@dataclasses.dataclass
class Attempt:
    """One start of the program: what was sent to it and when, how it ended, where it began and how far it came."""

    signal: str  # that was sent to it while it lived; "" = none
    exit_code: int
    seconds: float
    ranks: int
    phase: str
    course: Course
    first_step_after: float = 0.0  # seconds
    last_step_after: float = 0.0

    @property
    def is_hit(self) -> bool:
        """Whether a signal ended it: it was sent to a living process, and that died of it."""
        return bool(self.signal) and self.exit_code in _DEATHS[self.signal]

    @property
    def is_sound(self) -> bool:
        """Whether it ended by itself and well, or of the signal."""
        return self.exit_code == 0 or self.is_hit

    @property
    def resumed_from(self) -> int:
        """The step of the checkpoint that it took up; 0 = none."""
        return self.course.resumed_from

    @property
    def reached(self) -> int:
        """The last step that it did."""
        return self.course.step

    @property
    def has_begun(self) -> bool:
        """Whether it came so far as to take up a checkpoint or to do a step."""
        return self.course.has_trained or self.resumed_from > 0

    def row(self, number: int, before: Iterable["Attempt"]) -> str:
        """Return a line of the table, under HEAD."""
        what, where = (self.signal, self.phase) if self.is_hit else ("–", "ended")
        start = f"{number:7}  {what:7}  {self.exit_code:4}  {self.ranks:5}  {where:10}"
        if not self.has_begun:
            return f"{start}  {'–':>12}  {'–':>7}  {'–':>10}  {self.seconds:7.1f}"
        came_to = [attempt.reached for attempt in before if attempt.has_begun]
        lost = max(0, came_to[-1] - self.resumed_from) if came_to else 0
        return f"{start}  {self.resumed_from:12}  {self.reached:7}  {lost:10}  {self.seconds:7.1f}"


def hits_of(attempts: Iterable[Attempt], phases: Collection[str] = PHASES) -> list[Attempt]:
    """Return the attempts that a signal ended in one of the phases."""
    return [attempt for attempt in attempts if attempt.is_hit and attempt.phase in phases]


def resumed_of(attempts: Iterable[Attempt], last_step: int) -> list[Attempt]:
    """Return the attempts that took up a checkpoint and had steps left to do."""
    return [attempt for attempt in attempts if 0 < attempt.resumed_from < last_step]


def summary(attempts: Sequence[Attempt], kills: int, last_step: int) -> str:
    """Return what was hit, by phase and by signal, and how often training was resumed."""
    hits = {phase: hits_of(attempts, [phase]) for phase in PHASES}
    named = ", ".join(f"{len(found)} {phase}" for phase, found in hits.items())
    signals = [attempt.signal for attempt in hits_of(attempts)]
    sent = ", ".join(f"{signals.count(name)} {name}" for name in _DEATHS)
    return (
        f"{min(len(hits[TRAINING]), kills)} of {kills} hit training; hits by phase: {named} ({sent})\n"
        f"{len(attempts)} attempts, of which {len(resumed_of(attempts, last_step))} resumed training from a checkpoint"
    )


def shortfall(attempts: Sequence[Attempt], kills: int, last_step: int) -> str:
    """Return what keeps the drill from having shown what it was asked to show; "" = nothing."""
    hits = len(hits_of(attempts, [TRAINING]))
    longer = "Give the run more steps (HP=num_train_epochs=…), or ask for fewer interruptions (KILLS=…)."
    if hits < kills:
        return f"Only {hits} of {kills} interruptions hit training: the run was over before. {longer}"
    if kills and not resumed_of(attempts, last_step):
        return f"No attempt resumed from a checkpoint: each began anew, which shows nothing of resuming. {longer}"
    return ""
