"""The drill on a busy machine, where it sees the log late: further runs make up for what one has missed.

No clock decides here: a program goes on each time that the drill looks at it.
"""

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from spot_drill import drill as module
from spot_drill.aims import aim_at
from spot_drill.attempts import EXPORT, TRAINING, Attempt, Progress, Run, attempts_of, hits_of
from spot_drill.drill import Drill
from spot_drill.s3_mirror import CheckpointMirror

STEPS = 12
EVALUATED = [6, 12]
UNDISTURBED = Attempt(
    "", 0, 0.0, 1, EXPORT, Progress(step=STEPS, total_steps=STEPS, evaluated=EVALUATED, has_trained=True)
)
IN_TIME, LATE, ENDED = "in time", "late", "ended"
AGAIN = "another one from the beginning"


class Program:
    """A program in the place of `train`, with a checkpoint at each step.

    Args:
        pace: how the drill sees it: IN_TIME, each step; LATE, its last step is done when the signal arrives; ENDED,
            it has ended before the drill looks.
        model: content of its model.
    """

    def __init__(self, root: Path, log: Path, pace: str, model: str) -> None:
        self._root, self._log, self._pace, self._model = root, log, pace, model
        self._step = max((int(path.name) for path in (root / "checkpoints").iterdir()), default=0)
        self._code: int | None = None
        self._looks = 0
        is_finished = self._step == STEPS
        self._say(
            f"already finished at step {STEPS}" if is_finished else f"resuming from step {self._step} of"
        )
        while pace == ENDED and self._code is None:
            self._advance()

    def poll(self) -> int | None:
        """Return the exit code; go on every other time, since the drill looks twice before it sends a signal."""
        self._looks += 1
        if self._code is None and self._looks % 2:
            self._advance()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code: the drill waits only when the program has ended."""
        assert self._code is not None
        return self._code

    def send_signal(self, number: int, /) -> None:
        """End as a stopped job does."""
        while self._pace == LATE and self._step < STEPS:
            self._advance()
        self._code = {signal.SIGTERM: 143, signal.SIGKILL: -9}[signal.Signals(number)]

    def _advance(self) -> None:
        if self._step == STEPS:
            (self._root / "model").mkdir()
            (self._root / "model" / "model.safetensors").write_text(self._model)
            self._code = 0
            return
        self._step += 1
        (self._root / "checkpoints" / f"{self._step}").write_text("a checkpoint")
        self._say(f" step={self._step} total_steps={STEPS} train_loss=1")
        if self._step in EVALUATED:
            self._say(f" step={self._step} eval_loss=1")

    def _say(self, line: str) -> None:
        with self._log.open("a") as log:
            log.write(f"INFO {line}\n")


class Programs:
    """Start one program after the other.

    Args:
        paces: of the programs; then IN_TIME.
        models: of the programs; then the undisturbed one's.
    """

    def __init__(self, paces: list[str], models: list[str] | None = None) -> None:
        self._paces = itertools.chain(paces, itertools.repeat(IN_TIME))
        self._models = itertools.chain(models or [], itertools.repeat("the model"))
        self.resumed: list[bool] = []

    def __call__(self, root: Path, log: Path) -> Program:
        """Start a program."""
        self.resumed.append(any((root / "checkpoints").iterdir()))
        return Program(root, log, next(self._paces), next(self._models))


@pytest.fixture
def interrupt(tmp_path: Path) -> Callable[..., list[Run]]:
    """Return a function that trains through interruptions."""
    (tmp_path / "job" / "input" / "data").mkdir(parents=True)
    (tmp_path / "work").mkdir()

    def run(programs: Programs, kills: int = 3) -> list[Run]:
        drill = Drill(tmp_path / "job", tmp_path / "work", kills, 0, programs)
        drill._plan = lambda: [TRAINING] * kills  # type: ignore[method-assign]
        drill._signals = itertools.cycle(["SIGTERM"])  # after which everything is uploaded, however slowly
        return drill.interrupted(UNDISTURBED)

    return run


def hits(run: Run) -> int:
    """Return how many interruptions of a run hit training."""
    return len(hits_of(run.attempts, [TRAINING]))


def test_a_drill_that_sees_all_in_time_takes_one_run(
    interrupt: Callable[..., list[Run]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is missing, so nothing begins anew."""
    (run,) = interrupt(Programs([]))
    assert hits(run) == 3
    assert AGAIN not in capsys.readouterr().out


@pytest.mark.parametrize("pace", [LATE, ENDED])
def test_what_was_seen_late_is_made_up_from_the_beginning(
    pace: str, interrupt: Callable[..., list[Run]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Late signals hit the export, or nothing: two runs end without a hit; the third has no checkpoint of theirs."""
    programs = Programs([LATE, IN_TIME, LATE, IN_TIME] if pace == LATE else [ENDED, ENDED])
    runs = interrupt(programs)
    assert [hits(run) for run in runs] == [0, 0, 3]
    assert {attempt.phase for run in runs[:2] for attempt in run.attempts} == {EXPORT}
    lengths = [len(run.attempts) for run in runs[:2]]
    begun = [index for index, has_resumed in enumerate(programs.resumed) if not has_resumed]
    assert begun == [0, lengths[0], sum(lengths)]
    assert capsys.readouterr().out.count(AGAIN) == 2
    assert len({run.digest for run in runs}) == 1


def test_a_further_run_aims_at_what_is_missing_alone(interrupt: Callable[..., list[Run]]) -> None:
    """The first one was hit twice, and the third aim came too late."""
    runs = interrupt(Programs([IN_TIME, IN_TIME, ENDED]))
    assert [hits(run) for run in runs] == [2, 1]


def test_the_models_of_all_runs_are_compared(
    interrupt: Callable[..., list[Run]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that differs in a run that missed counts."""
    runs = interrupt(Programs([ENDED], ["another model"]))
    expected = runs[-1].digest
    assert module._verdict(runs, 3, UNDISTURBED, expected) == 1
    assert "THE MODELS DIFFER" in capsys.readouterr().out
    assert module._verdict(runs[1:], 3, UNDISTURBED, expected) == 0


def test_it_gives_up_after_a_number_of_runs(
    interrupt: Callable[..., list[Run]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is ever hit, the drill ends, and says that it has shown too little."""
    runs = interrupt(Programs([ENDED] * 1000))
    assert len(runs) == module._RUNS
    assert module._verdict(runs, 3, UNDISTURBED, runs[0].digest) == 3
    assert "Only 0 of 3 interruptions hit training" in capsys.readouterr().out


def test_a_program_that_never_resumes_is_soon_found_out(
    interrupt: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have hit, SIGTERM too, and every attempt began anew: few runs are enough to say so."""
    monkeypatch.setattr(CheckpointMirror, "restore", lambda _: None)
    runs = interrupt(Programs([]))
    assert len(runs) == module._RUNS_TO_RESUME
    assert all(hits(run) == 3 for run in runs)
    assert module._verdict(runs, 3, UNDISTURBED, runs[0].digest) == 3


def test_aims_come_earlier_after_each_miss(
    interrupt: Callable[..., list[Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More steps are kept free behind the target, so that a drill that is late still finds the program training."""
    kept: list[int] = []

    def noted(aim: str, undisturbed: Attempt, left: int, rng: object) -> object:
        kept.append(left)
        return aim_at(aim, undisturbed, left, rng)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "aim_at", noted)
    runs = interrupt(Programs([ENDED] * 4), kills=1)
    assert len(attempts_of(runs)) == 6
    assert kept == [1, 2, 3, 4, 5]
