"""The interruption rehearsal: trains once in peace and once through interruptions, and compares the results.

    make spot-drill [KILLS=20] [SEED=0] [RANKS=1] [ENGINE=process|docker] [TEST_DIR=…]

Each attempt of the interrupted run is the real `train` program on a fresh folder that gets nothing from the attempt
before but what had reached the stand-in for S3. It is ended by SIGKILL, or by SIGTERM as when SageMaker stops a job:
KILLS times while it trains, aimed at steps that its log reports, and besides while it starts, evaluates and exports.
Only what ended a living program counts. At the end both models must be the same, bit for bit. With RANKS=2 two
processes train together; with RANKS=1,2,4 each attempt has another number of them.

Exit status: 0 the same model; 1 the models differ; 2 a run failed or cannot be drilled; 3 fewer interruptions than
asked for hit training, or nothing was resumed.
"""

import argparse
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
from spot_drill.attempts import (
    EVALUATION,
    EXPORT,
    HEAD,
    START,
    TRAINING,
    Attempt,
    Course,
    LogReader,
    hits_of,
    shortfall,
    summary,
)
from spot_drill.engines import Process, launch_container, launch_program, threads_for
from spot_drill.s3_mirror import CheckpointMirror

GRACE_SECONDS = 120  # what SageMaker grants after SIGTERM
_POLL_SECONDS = 0.005
_MISSES = 5  # aims at training that may go astray, such as into an evaluation, before the drill gives up


def main(arguments: Sequence[str]) -> int:
    """Run the drill; return its exit status."""
    given = _parser().parse_args(arguments)
    os.environ |= threads_for(given.ranks, os.environ)
    with tempfile.TemporaryDirectory(prefix="spot-drill-", dir=given.work_dir) as folder:
        try:
            launch = launch_container if given.engine == "docker" else launch_program
            return Drill(
                given.test_dir.resolve(), Path(folder), given.kills, given.seed, launch, given.ranks
            ).run()
        except DrillError as error:
            print(error, file=sys.stderr)
            return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("test_dir", type=Path, help="folder laid out as /opt/ml; only its input/ is read")
    parser.add_argument(
        "--kills", type=_kills, default=20, help="interruptions that must hit training (default: 20)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="decides when and how; a failing drill can be repeated"
    )
    parser.add_argument(
        "--ranks",
        type=_numbers,
        default=(1,),
        help="processes that train together (default: 1); several numbers, with commas: drawn for every attempt",
    )
    engines, where = ("process", "docker"), "where an attempt runs (default: process)"
    parser.add_argument("--engine", choices=engines, default="process", help=where)
    parser.add_argument(
        "--work-dir", type=Path, help="where the attempts' folders are made and removed (default: /tmp)"
    )
    return parser


def _kills(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 64 for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 1 to 64, or several with commas: 1,2,4"
        )
    return tuple(map(int, parts))


class DrillError(Exception):
    """A run did not end as it should, or is no run that can be interrupted so often."""


class Drill:
    """One rehearsal.

    Args:
        test_dir: whose input/ every attempt sees.
        work_dir: for the attempts' own folders; holds a few checkpoints at a time.
        kills: interruptions that must hit training.
        launch: starts the program on (root, log).
        ranks: processes that train together; of several numbers, one is drawn for every attempt.
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
        self._bucket.mkdir()

    def run(self) -> int:
        """Do everything and print the table; return the exit status."""
        if not (self._test_dir / "input" / "data").is_dir():
            raise DrillError(f"There is no folder {self._test_dir}/input/data: run make train-local first.")
        print("the undisturbed run …", flush=True)
        peace, expected = self.undisturbed()
        print(
            f"{peace.reached} steps in {peace.seconds:.0f} s; now with {self._kills} interruptions\n{HEAD}",
            flush=True,
        )
        attempts, found = self.interrupted(peace)
        return _verdict(attempts, self._kills, peace, expected, found)

    def undisturbed(self) -> tuple[Attempt, str]:
        """Train in peace; return how that went and the digest of the model.

        Raises:
            DrillError: when the run fails, or has fewer steps to interrupt than interruptions are asked for.
        """
        root = self._make_root("undisturbed", self._ranks[0])
        peace = self._start(root, self._ranks[0])
        if peace.exit_code:
            raise DrillError(f"The undisturbed run failed:\n{_tail(root)}")
        digest = _digest(root / "model")
        shutil.rmtree(root)
        possible = len(peace.course.targets())
        if possible < self._kills:
            raise DrillError(
                f"The run has {peace.reached} step(s), of which {possible} can be interrupted before the next:"
                f" too few for KILLS={self._kills}. Give it more (HP=num_train_epochs=…), or ask for fewer."
            )
        return peace, digest

    def interrupted(self, peace: Attempt) -> tuple[list[Attempt], str]:
        """Train through interruptions; return the attempts and the digest of the model at the end."""
        attempts: list[Attempt] = []
        plan = self._plan()
        while plan and (not attempts or attempts[-1].exit_code):
            aim = plan.pop(0)
            attempts.append(self._attempt(attempts, aim, peace))
            goes_astray = aim == TRAINING and attempts[-1].phase != TRAINING
            if goes_astray and len(attempts) - len(hits_of(attempts, [TRAINING])) < self._kills + _MISSES:
                plan.insert(0, TRAINING)
        if attempts[-1].exit_code:
            attempts.append(self._attempt(attempts, None, peace))
        root = self._work_dir / f"attempt-{len(attempts)}"
        digest = _digest(root / "model")
        shutil.rmtree(root)
        return attempts, digest

    def _plan(self) -> list[str]:
        """Return the phases to aim at; what may end the training for good comes last."""
        training = [TRAINING] * self._kills + [START] * max(1, self._kills // 5)
        self._rng.shuffle(training)
        return [*training, EVALUATION, EXPORT]

    def _attempt(self, before: Sequence[Attempt], aim: str | None, peace: Attempt) -> Attempt:
        """Run one attempt on a fresh folder; without an aim it is the last and must end by itself."""
        number, ranks = len(before) + 1, self._rng.choice(self._ranks)
        root = self._make_root(f"attempt-{number}", ranks)
        # Throttled, so that interruptions meet uploads half done.
        mirror = CheckpointMirror(root / "checkpoints", self._bucket, self._rng, bytes_per_second=200e6)
        mirror.restore()
        mirror.start()
        try:
            left = self._kills - len(hits_of(before, [TRAINING]))
            when = aim_at(aim, peace, left, self._rng) if aim else None
            attempt = self._start(root, ranks, when, peace.course)
        except BaseException:
            mirror.freeze()
            raise
        # After SIGKILL the instance is gone at once; after SIGTERM SageMaker still brings over what is there.
        (mirror.freeze if attempt.signal == "SIGKILL" else mirror.finish)()
        if not attempt.is_sound:
            raise DrillError(f"Attempt {number} ended with exit code {attempt.exit_code}:\n{_tail(root)}")
        print(attempt.row(number, before), flush=True)
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
        # None of these changes what is computed, save for the gradient groups, which all attempts have alike.
        values |= {"checkpoint_interval_seconds": "1", "logging_steps": "1"}
        if max(self._ranks) > 1:
            values |= {"processes_per_host": str(ranks), "num_gradient_groups": str(max(self._ranks))}
        settings.write_text(json.dumps(values), encoding="utf-8")
        return root

    def _start(self, root: Path, ranks: int, aim: Aim | None = None, peace: Course | None = None) -> Attempt:
        """Run the program, interrupt it when the aim says so, and wait for its end."""
        started = time.monotonic()
        process, log = self._launch(root, root / "log"), LogReader(root / "log")
        sent, first, last = "", 0.0, 0.0
        while process.poll() is None and not sent:
            step = log.course.step
            course = log.read()
            if course.has_trained and course.step != step:
                last = time.monotonic() - started
                first = first or last
            if aim is not None and aim.is_due(course):
                sent = self._send(process)
            time.sleep(_POLL_SECONDS)
        exit_code = self._end_of(process, sent, root)
        course = log.read()
        seconds = time.monotonic() - started
        return Attempt(sent, exit_code, seconds, ranks, course.phase(peace or course), course, first, last)

    def _send(self, process: Process) -> str:
        """Send the next signal to a process; return its name, or "" when the process had ended."""
        if process.poll() is not None:
            return ""
        name = next(self._signals)
        process.send_signal(signal.Signals[name])
        return name

    def _end_of(self, process: Process, sent: str, root: Path) -> int:
        """Return the exit code of a process that has ended, or that a signal was sent to."""
        try:
            return process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise DrillError(f"No end within {GRACE_SECONDS} s of {sent}:\n{_tail(root)}") from error


def _verdict(attempts: Sequence[Attempt], kills: int, peace: Attempt, expected: str, found: str) -> int:
    """Print what was hit and whether the models are the same; return the exit status."""
    print(summary(attempts, kills, peace.reached))
    print(f"undisturbed  {expected}\ninterrupted  {found}")
    if expected != found:
        print("THE MODELS DIFFER")
        return 1
    missing = shortfall(attempts, kills, peace.reached)
    print(missing or "the same model, bit for bit")
    return 3 if missing else 0


def _digest(model_dir: Path) -> str:
    return hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()


def _tail(root: Path, lines: int = 15) -> str:
    return "\n".join((root / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
