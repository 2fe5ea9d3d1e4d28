"""The interruption drill: train once undisturbed and once through interruptions, and compare the models.

    make spot-drill [KILLS=20] [SEED=0] [RANKS=1] [ENGINE=process|docker] [TEST_DIR=…]

Each attempt of the interrupted run is the real `train` program on a fresh folder, which gets nothing from earlier
attempts but what had reached the stand-in for S3. SIGKILL ends it, or SIGTERM as when SageMaker stops a job: KILLS
times while it trains, at steps that its log reports, and also while it starts, evaluates and exports. An interruption
counts as a hit only if it ended a running program. A run that ends before KILLS have hit, as on a busy machine, where
the drill sees the log late, is followed by another one from the beginning, for what is missing. At the end the models
of all runs must be the same, bit for bit. With RANKS=2 two processes train together; with RANKS=1,2,4 each attempt
draws its number of processes.

Exit status: 0 the same model; 1 the models differ; 2 a run failed or cannot be drilled; 3 fewer interruptions than
asked for hit training in all runs, or no attempt resumed.
"""

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spot_drill.aims import Aim, aim_at
from spot_drill.arguments import parser
from spot_drill.attempts import (
    EVALUATION,
    EXPORT,
    HEAD,
    START,
    TRAINING,
    Attempt,
    LogReader,
    Progress,
    Run,
    attempts_of,
    hits_of,
    shortfall,
    summary,
)
from spot_drill.engines import Process, killed_on_interrupt, launch_container, launch_program, threads_for
from spot_drill.s3_mirror import CheckpointMirror
from spot_drill.settings import DrillError, settings_of_attempt

GRACE_SECONDS = 120  # what SageMaker grants after SIGTERM
_POLL_SECONDS = 0.005
# Before the drill gives up:
_MISSES = 5  # aims at training, beside those asked for, that may miss it, such as into an evaluation
_RUNS = 20  # from the beginning, of which each may end before all have hit
_RUNS_TO_RESUME = 3  # the same, where all have hit but no attempt has resumed
_ORDER = (
    3  # signals until each has been sent; after SIGTERM all is uploaded, so that the next attempt resumes
)


def main(arguments: Sequence[str]) -> int:
    """Run the drill; return its exit status."""
    given = parser(__doc__).parse_args(arguments)
    os.environ |= threads_for(given.ranks, os.environ)
    launch = launch_container if given.engine == "docker" else launch_program
    with tempfile.TemporaryDirectory(prefix="spot-drill-", dir=given.work_dir) as folder:
        try:
            drill = Drill(
                given.test_dir.resolve(), Path(folder), given.kills, given.seed, launch, given.ranks
            )
            return drill.run()
        except DrillError as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("The drill was interrupted; its attempts are removed.", file=sys.stderr)
            return 130


class Drill:
    """One drill.

    Args:
        test_dir: its input/ is that of every attempt.
        work_dir: for the attempts' folders; holds a few checkpoints at a time.
        kills: interruptions that must hit training.
        launch: starts the program on (root, log).
        ranks: processes that train together; of several numbers, each attempt draws one.
    """

    def __init__(
        self,
        test_dir: Path,
        work_dir: Path,
        kills: int,
        seed: int,
        launch: Callable[[Path, Path], Process] = launch_program,
        ranks: Sequence[int] = (1,),
    ) -> None:
        self._ranks = tuple(ranks)
        self._launch = launch
        self._test_dir = test_dir
        self._work_dir = work_dir
        self._kills = kills
        self._rng = random.Random(seed)  # noqa: S311 - decides when to interrupt, guards nothing
        order = self._rng.choice((("SIGKILL", "SIGTERM", "SIGKILL"), ("SIGTERM", "SIGKILL", "SIGKILL")))
        self._signals = itertools.cycle(order)
        self._bucket = work_dir / "s3"
        self._attempts: list[Attempt] = []  # of all interrupted runs
        self._misses = 0

    def run(self) -> int:
        """Train undisturbed and interrupted, and print the table; return the exit status."""
        if not (self._test_dir / "input" / "data").is_dir():
            raise DrillError(f"There is no folder {self._test_dir}/input/data: run make train-local first.")
        print("the undisturbed run …", flush=True)
        undisturbed, expected = self.undisturbed()
        print(
            f"{undisturbed.reached} steps in {undisturbed.seconds:.0f} s; now with {self._kills} interruptions\n{HEAD}",
            flush=True,
        )
        return _verdict(self.interrupted(undisturbed), self._kills, undisturbed, expected)

    def undisturbed(self) -> tuple[Attempt, str]:
        """Train undisturbed; return the attempt and the digest of its model.

        Raises:
            DrillError: when the run fails, or has fewer steps to interrupt than interruptions are asked for.
        """
        root = self._make_root("undisturbed", self._ranks[0])
        attempt = self._run_program(root, self._ranks[0])
        if attempt.exit_code:
            raise DrillError(f"The undisturbed run failed:\n{_tail(root)}")
        digest = _take_digest(root)
        possible = len(attempt.progress.targets())
        if possible < self._kills:
            raise DrillError(
                f"The run has {attempt.reached} step(s), of which {possible} can be interrupted before the next:"
                f" too few for KILLS={self._kills}. Give it more (HP=num_train_epochs=…), or ask for fewer."
            )
        return attempt, digest

    def interrupted(self, undisturbed: Attempt) -> list[Run]:
        """Train through interruptions, again from the beginning as long as hits are missing; return the runs."""
        runs: list[Run] = []
        plan = self._plan()
        while plan:
            runs.append(self._interrupted_run(plan, undisturbed))
            plan = self._missing(len(runs), undisturbed.reached)
            if plan:
                print(
                    "that run ended too soon: another one from the beginning, for what is missing", flush=True
                )
        return runs

    def _missing(self, runs: int, last_step: int) -> list[str]:
        """Return the phases to aim at in a further run; none when all is shown, or nothing can be hoped for."""
        if not shortfall(self._attempts, self._kills, last_step):
            return []
        left = self._kills - len(hits_of(self._attempts, [TRAINING]))
        if left > 0:
            return [TRAINING] * left if runs < _RUNS else []
        return [TRAINING] * _ORDER if runs < _RUNS_TO_RESUME else []

    def _interrupted_run(self, plan: list[str], undisturbed: Attempt) -> Run:
        """Train from the beginning to the end through interruptions in the phases of the plan, which is used up."""
        shutil.rmtree(self._bucket, ignore_errors=True)
        self._bucket.mkdir()
        attempts: list[Attempt] = []
        while plan and (not attempts or attempts[-1].exit_code):
            aim = plan.pop(0)
            attempts.append(self._attempt(attempts, aim, undisturbed))
            if aim == TRAINING and attempts[-1].phase != TRAINING:
                self._misses += 1
                plan[:0] = [TRAINING] if self._misses < self._kills + _MISSES else []
        if attempts[-1].exit_code:
            attempts.append(self._attempt(attempts, None, undisturbed))
        return Run(attempts, _take_digest(self._work_dir / f"attempt-{len(self._attempts)}"))

    def _plan(self) -> list[str]:
        """Return the phases to aim at; those at which the run may complete come last."""
        training = [TRAINING] * self._kills + [START] * max(1, self._kills // 5)
        self._rng.shuffle(training)
        return [*training, EVALUATION, EXPORT]

    def _attempt(self, before: Sequence[Attempt], aim: str | None, undisturbed: Attempt) -> Attempt:
        """Run one attempt on a fresh folder, after those of its run; without an aim it must end by itself."""
        number, ranks = len(self._attempts) + 1, self._rng.choice(self._ranks)
        root = self._make_root(f"attempt-{number}", ranks)
        # Throttled, so that interruptions cut uploads off.
        mirror = CheckpointMirror(root / "checkpoints", self._bucket, self._rng, bytes_per_second=200e6)
        mirror.restore()
        mirror.start()
        try:
            left = self._kills - len(hits_of(self._attempts, [TRAINING])) + self._misses
            when = aim_at(aim, undisturbed, left, self._rng) if aim else None
            attempt = self._run_program(root, ranks, when, undisturbed.progress)
        except BaseException:
            mirror.freeze()
            raise
        # After SIGKILL the instance is gone at once; after SIGTERM SageMaker uploads what is left.
        (mirror.freeze if attempt.signal == "SIGKILL" else mirror.finish)()
        if not attempt.is_sound:
            raise DrillError(f"Attempt {number} ended with exit code {attempt.exit_code}:\n{_tail(root)}")
        print(attempt.row(number, before), flush=True)
        self._attempts.append(attempt)
        if attempt.exit_code:
            shutil.rmtree(root)
        return attempt

    def _make_root(self, name: str, ranks: int) -> Path:
        """Return a folder laid out as /opt/ml, with the job's input and nothing else."""
        root = self._work_dir / name
        (root / "input" / "config").mkdir(parents=True)
        (root / "checkpoints").mkdir()
        (root / "input" / "data").symlink_to(self._test_dir / "input" / "data")
        for path in (self._test_dir / "input" / "config").glob("*.json"):
            shutil.copy(path, root / "input" / "config")
        settings = root / "input" / "config" / "hyperparameters.json"
        values = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
        settings.write_text(json.dumps(settings_of_attempt(values, ranks, self._ranks)), encoding="utf-8")
        return root

    def _run_program(
        self, root: Path, ranks: int, aim: Aim | None = None, undisturbed: Progress | None = None
    ) -> Attempt:
        """Run the program to its end; it is killed when the drill itself is interrupted."""
        started = time.monotonic()
        process, log = self._launch(root, root / "log"), LogReader(root / "log")
        sent, first, last = "", 0.0, 0.0
        with killed_on_interrupt(process):
            while process.poll() is None and not sent:
                step = log.progress.step
                progress = log.read()
                if progress.has_trained and progress.step != step:
                    last = time.monotonic() - started
                    first = first or last
                if aim is not None and aim.is_due(progress):
                    sent = self._send(process)
                time.sleep(_POLL_SECONDS)
            exit_code = _exit_code(process, sent, root)
        progress = log.read()
        seconds = time.monotonic() - started
        phase = progress.phase(undisturbed or progress)
        return Attempt(sent, exit_code, seconds, ranks, phase, progress, first, last)

    def _send(self, process: Process) -> str:
        """Send the next signal; return its name, or "" when the process has ended already."""
        if process.poll() is not None:
            return ""
        name = next(self._signals)
        process.send_signal(signal.Signals[name])
        return name


def _exit_code(process: Process, sent: str, root: Path) -> int:
    """Wait for the end of a process that a signal was sent to, within SageMaker's grace period."""
    try:
        return process.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.send_signal(signal.SIGKILL)
        process.wait()
        raise DrillError(f"No end within {GRACE_SECONDS} s of {sent}:\n{_tail(root)}") from error


def _verdict(runs: Sequence[Run], kills: int, undisturbed: Attempt, expected: str) -> int:
    """Print the hits and whether the models are the same; return the exit status."""
    attempts = attempts_of(runs)
    print(summary(attempts, kills, undisturbed.reached))
    found = sorted({run.digest for run in runs})
    print(f"undisturbed  {expected}", *(f"interrupted  {digest}" for digest in found), sep="\n")
    if found != [expected]:
        print("THE MODELS DIFFER")
        return 1
    missing = shortfall(attempts, kills, undisturbed.reached)
    print(missing or "the same model, bit for bit")
    return 3 if missing else 0


def _take_digest(root: Path) -> str:
    """Return the digest of an attempt's model, and remove the attempt's folder."""
    digest = hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()
    shutil.rmtree(root)
    return digest


def _tail(root: Path, lines: int = 15) -> str:
    return "\n".join((root / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
