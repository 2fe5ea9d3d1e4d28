"""An attempt, read from its log: steps, phases, and whether an interruption hit it."""

import dataclasses
import re
import signal
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

STOPPED = 143
START, TRAINING, EVALUATION, EXPORT = PHASES = ("start", "training", "evaluation", "export")
HEAD = "attempt  signal   exit code  ranks  phase       from step  reached step  steps lost  seconds"
_STEP = re.compile(r" step=(\d+) total_steps=(\d+) ")
_EVALUATED = re.compile(r" step=(\d+) eval_loss=")
_RESUMED = re.compile(r"(?i)resuming from step (\d+)|(finished) at step (\d+)")
_NEXT = re.compile(r" INFO (?:seed|fold) \d+ of \d+ begins$")
_EXIT_CODES = {"SIGKILL": {-signal.SIGKILL}, "SIGTERM": {STOPPED, -signal.SIGTERM}}


@dataclasses.dataclass
class Progress:
    """How far an attempt has come. Steps are those of all trainings of the job, one after the other.

    Attributes:
        before: steps of the trainings before the one in progress.
        resumed_from: step of the restored checkpoint; 0 = none.
        step: last completed step.
        evaluated: steps after which this attempt evaluated.
        has_trained: whether it completed a step.
        is_finished: whether no step was left when it started.
    """

    before: int = 0
    resumed_from: int = 0
    step: int = 0
    total_steps: int = 0
    evaluated: list[int] = dataclasses.field(default_factory=list)
    has_trained: bool = False
    is_finished: bool = False

    def read_line(self, line: str) -> None:
        """Update from one line of the log."""
        if found := _STEP.search(line):
            self.step, self.total_steps, self.has_trained = self.before + int(found[1]), int(found[2]), True
        elif found := _EVALUATED.search(line):
            self.evaluated.append(self.before + int(found[1]))
        elif found := _RESUMED.search(line):
            self.step = self.before + int(found[1] or found[3])
            self.resumed_from = self.resumed_from if self.has_trained else self.step
            self.is_finished = bool(found[2])
        elif _NEXT.search(line):
            self.before, self.is_finished = self.step, False

    def phase(self, undisturbed: "Progress") -> str:
        """Return what the program is doing, judged by when the undisturbed run evaluated and ended."""
        is_evaluated = self.step in self.evaluated or self.step not in undisturbed.evaluated
        if self.is_finished or (self.step >= undisturbed.step and is_evaluated):
            return EXPORT
        if not is_evaluated and (self.has_trained or self.step >= undisturbed.step):
            return EVALUATION
        return TRAINING if self.has_trained else START

    def targets(self, after: int = 0) -> list[int]:
        """Return the steps from `after` on that another step follows, not an evaluation or the end."""
        return [step for step in range(max(after, 1), self.step) if step not in self.evaluated]


class LogReader:
    """Follow the log of a running attempt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self.progress = Progress()

    def read(self) -> Progress:
        """Read the lines completed since the last call; return the progress."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode("utf-8", errors="replace").splitlines():
            self.progress.read_line(line)
        return self.progress


@dataclasses.dataclass
class Attempt:
    """One run of the program on a fresh folder.

    Attributes:
        signal: the one sent while it was running; "" = none.
        phase: what it was doing at its end.
    """

    signal: str
    exit_code: int
    seconds: float
    ranks: int
    phase: str
    progress: Progress
    first_step_after: float = 0.0  # seconds
    last_step_after: float = 0.0

    @property
    def is_hit(self) -> bool:
        """Whether the signal ended it."""
        return bool(self.signal) and self.exit_code in _EXIT_CODES[self.signal]

    @property
    def is_sound(self) -> bool:
        """Whether it succeeded or the signal ended it."""
        return self.exit_code == 0 or self.is_hit

    @property
    def resumed_from(self) -> int:
        """Step of the restored checkpoint; 0 = none."""
        return self.progress.resumed_from

    @property
    def reached(self) -> int:
        """Last completed step."""
        return self.progress.step

    @property
    def has_begun(self) -> bool:
        """Whether it restored a checkpoint or completed a step."""
        return self.progress.has_trained or self.resumed_from > 0

    def row(self, number: int, before: Iterable["Attempt"]) -> str:
        """Return its line of the table under HEAD, given the attempts before it."""
        name, phase = (self.signal, self.phase) if self.is_hit else ("–", "ended")
        resumed_from = reached = lost = "–"
        if self.has_begun:
            steps = [attempt.reached for attempt in before if attempt.has_begun]
            resumed_from, reached = str(self.resumed_from), str(self.reached)
            lost = str(max(0, steps[-1] - self.resumed_from) if steps else 0)
        return (
            f"{number:7}  {name:7}  {self.exit_code:9}  {self.ranks:5}  {phase:10}"
            f"  {resumed_from:>9}  {reached:>12}  {lost:>10}  {self.seconds:7.1f}"
        )


@dataclasses.dataclass
class Run:
    """Attempts of which each resumes from what the earlier ones had uploaded; the last one completed.

    Attributes:
        digest: of its model.
    """

    attempts: list[Attempt]
    digest: str


def attempts_of(runs: Iterable[Run]) -> list[Attempt]:
    """Return the attempts of all runs."""
    return [attempt for run in runs for attempt in run.attempts]


def hits_of(attempts: Iterable[Attempt], phases: Collection[str] = PHASES) -> list[Attempt]:
    """Return the attempts that a signal ended in one of the phases."""
    return [attempt for attempt in attempts if attempt.is_hit and attempt.phase in phases]


def resumed_of(attempts: Iterable[Attempt], last_step: int) -> list[Attempt]:
    """Return the attempts that restored a checkpoint with steps left to train."""
    return [attempt for attempt in attempts if 0 < attempt.resumed_from < last_step]


def summary(attempts: Sequence[Attempt], kills: int, last_step: int) -> str:
    """Return the hits by phase and by signal, and how many attempts resumed."""
    hits = {phase: hits_of(attempts, [phase]) for phase in PHASES}
    by_phase = ", ".join(f"{len(found)} {phase}" for phase, found in hits.items())
    signals = [attempt.signal for attempt in hits_of(attempts)]
    by_signal = ", ".join(f"{signals.count(name)} {name}" for name in _EXIT_CODES)
    return (
        f"{min(len(hits[TRAINING]), kills)} of {kills} hit training; hits by phase: {by_phase} ({by_signal})\n"
        f"{len(attempts)} attempts, of which {len(resumed_of(attempts, last_step))} resumed training from a checkpoint"
    )


def shortfall(attempts: Sequence[Attempt], kills: int, last_step: int) -> str:
    """Return why the drill has not shown what it was asked to show; "" = it has."""
    hits = len(hits_of(attempts, [TRAINING]))
    remedy = "Give the run more steps (HP=num_train_epochs=…), or ask for fewer interruptions (KILLS=…)."
    if hits < kills:
        return f"Only {hits} of {kills} interruptions hit training: each run ended before. {remedy}"
    if kills and not resumed_of(attempts, last_step):
        return f"No attempt resumed from a checkpoint: each started anew, which proves nothing about resuming. {remedy}"
    return ""
