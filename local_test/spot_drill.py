"""The interruption rehearsal: trains once in peace and once through interruptions, and compares the results.

    make spot-drill [KILLS=20] [SEED=0] [RANKS=1] [ENGINE=process|docker] [TEST_DIR=…]

Each life of the interrupted run is the real `train` program on a fresh folder that gets nothing from the life
before but what had reached the stand-in for S3. It ends by SIGKILL, or by SIGTERM as when SageMaker stops a job,
at a random moment: while importing, training, evaluating, saving or exporting. At the end both models must be the
same, bit for bit. With RANKS=2 two processes train together; with RANKS=1,2,4 each life has another number of them.
"""

import argparse
import dataclasses
import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from drill_engines import Process, launch_container, launch_program
from s3_mirror import CheckpointMirror

GRACE_SECONDS = 120  # what SageMaker grants after SIGTERM
STOPPED = 143
_STEP = re.compile(r" step=(\d+) total_steps=(\d+) ")
_TRAINS = re.compile(rb"total_steps=|finished at step")
_RESUMED = re.compile(r"resuming from step (\d+)|finished at step (\d+)")


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to interrupt: so many seconds after the start, or after the first step that the log shows."""

    seconds: float
    after_first_step: bool


@dataclasses.dataclass
class Life:
    """One start of the program: how it ended, where it began and how far it came."""

    ended_by: str
    exit_code: int
    seconds: float
    ranks: int
    resumed_from: int
    reached: int
    total_steps: int


def main(arguments: Sequence[str]) -> int:
    """Run the drill; return 0 when the models are the same, 1 when not, 2 when a run failed."""
    given = _parser().parse_args(arguments)
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
    parser.add_argument("--kills", type=int, default=20, help="interruptions (default: 20)")
    parser.add_argument(
        "--seed", type=int, default=0, help="decides when and how; a failing drill can be repeated"
    )
    parser.add_argument(
        "--ranks",
        type=_numbers,
        default=(1,),
        help="processes that train together (default: 1); several numbers, with commas: drawn for every life",
    )
    parser.add_argument(
        "--engine",
        choices=("process", "docker"),
        default="process",
        help="where a life runs (default: process)",
    )
    parser.add_argument(
        "--work-dir", type=Path, help="where the lives' folders are made and removed (default: /tmp)"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 64 for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 1 to 64, or several with commas: 1,2,4"
        )
    return tuple(map(int, parts))


class DrillError(Exception):
    """A run did not end as it should, so that there is nothing to compare."""


class Drill:
    """One rehearsal.

    Args:
        test_dir: whose input/ every life sees.
        work_dir: for the lives' own folders; holds a few checkpoints at a time.
        launch: starts the program on (root, log).
        ranks: processes that train together; of several numbers, one is drawn for every life.
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
        self._bucket = work_dir / "s3"
        self._bucket.mkdir()

    def run(self) -> int:
        """Do everything and print the table; return the exit status."""
        if not (self._test_dir / "input" / "data").is_dir():
            raise DrillError(f"There is no folder {self._test_dir}/input/data: run make train-local first.")
        print("the undisturbed run …", flush=True)
        peace, expected = self.undisturbed()
        print(
            f"{peace.total_steps} steps in {peace.seconds:.0f} s; now with {self._kills} interruptions",
            flush=True,
        )
        print("life  ended by  exit  ranks  resumed from  reached  steps lost  seconds", flush=True)
        lives, found = self.interrupted(peace)
        return _verdict(lives, expected, found)

    def interrupted(self, peace: Life) -> tuple[list[Life], str]:
        """Train through interruptions; return the lives and the digest of the model at the end."""
        lives: list[Life] = []
        while len(lives) < self._kills:
            lives.append(self._life(len(lives), self._moment(peace), lives))
        lives.append(self._life(len(lives), None, lives))
        root = self._work_dir / f"life-{len(lives) - 1}"
        digest = _digest(root / "model")
        shutil.rmtree(root)
        return lives, digest

    def undisturbed(self) -> tuple[Life, str]:
        """Train in peace; return how that went and the digest of the model."""
        root = self._make_root("undisturbed", self._ranks[0])
        life = self._start(root, None, self._ranks[0])
        if life.exit_code:
            raise DrillError(f"The undisturbed run failed:\n{_tail(root)}")
        digest = _digest(root / "model")
        shutil.rmtree(root)
        return life, digest

    def _moment(self, peace: Life) -> "Moment":
        """Choose when a life is interrupted: at times while it starts, mostly once it trains."""
        if self._rng.random() < 0.2:
            return Moment(self._rng.uniform(0, 0.3) * peace.seconds, after_first_step=False)
        share = 3 / max(
            self._kills, 3
        )  # so that the interrupted run comes to its end about when the kills do
        return Moment(self._rng.uniform(0, share) * peace.seconds, after_first_step=True)

    def _life(self, number: int, moment: Moment | None, before: Sequence[Life]) -> Life:
        """Run one life on a fresh folder; without a moment it is the last and must end by itself."""
        ranks = self._rng.choice(self._ranks)
        root = self._make_root(f"life-{number}", ranks)
        # Throttled, so that interruptions meet uploads half done.
        mirror = CheckpointMirror(root / "checkpoints", self._bucket, self._rng, bytes_per_second=200e6)
        mirror.restore()
        mirror.start()
        try:
            life = self._start(root, moment, ranks)
        except BaseException:
            mirror.freeze()
            raise
        # After SIGKILL the instance is gone at once; after SIGTERM SageMaker still brings over what is there.
        (mirror.freeze if life.ended_by == "SIGKILL" else mirror.finish)()
        allowed = {"SIGKILL": {-signal.SIGKILL, 0}, "SIGTERM": {STOPPED, 0, -signal.SIGTERM}, "–": {0}}
        if life.exit_code not in allowed[life.ended_by]:
            raise DrillError(f"Life {number} ended with exit code {life.exit_code}:\n{_tail(root)}")
        lost = max(0, before[-1].reached - life.resumed_from) if before else 0
        print(
            f"{number:4}  {life.ended_by:8}  {life.exit_code:4}  {ranks:5}  {life.resumed_from:12}  {life.reached:7}  "
            f"{lost:10}  {life.seconds:7.1f}",
            flush=True,
        )
        if moment is not None:
            shutil.rmtree(root)
        return life

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
        # None of these changes what is computed, save for the shards, which all lives have alike.
        values |= {"checkpoint_interval_seconds": "1", "logging_steps": "1"}
        if max(self._ranks) > 1:
            values |= {"processes_per_host": str(ranks), "gradient_shards": str(max(self._ranks))}
        settings.write_text(json.dumps(values), encoding="utf-8")
        return root

    def _start(self, root: Path, moment: Moment | None, ranks: int) -> Life:
        """Run the program, interrupt it if told so, and wait for its end."""
        started = time.monotonic()
        process = self._launch(root, root / "log")
        ended_by = self._interrupt(process, moment, root / "log")
        try:
            exit_code = process.wait(timeout=None if moment is None else GRACE_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise DrillError(f"No end within {GRACE_SECONDS} s of {ended_by}:\n{_tail(root)}") from error
        return _read_log(root, ended_by, exit_code, time.monotonic() - started, ranks)

    def _interrupt(self, process: Process, moment: Moment | None, log: Path) -> str:
        if moment is None:
            return "–"
        while moment.after_first_step and process.poll() is None and not _TRAINS.search(log.read_bytes()):
            time.sleep(0.05)
        number = self._rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
        try:
            process.wait(timeout=moment.seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        return number.name


def _verdict(lives: Sequence[Life], expected: str, found: str) -> int:
    kills = sum(life.ended_by == "SIGKILL" for life in lives)
    print(f"{len(lives)} lives: {kills} SIGKILL, {len(lives) - kills - 1} SIGTERM")
    print(f"undisturbed  {expected}\ninterrupted  {found}")
    print("the same model, bit for bit" if expected == found else "THE MODELS DIFFER")
    return 0 if expected == found else 1


def _read_log(root: Path, ended_by: str, exit_code: int, seconds: float, ranks: int) -> Life:
    text = (root / "log").read_text(encoding="utf-8", errors="replace")
    resumed = _RESUMED.search(text)
    first = int(resumed[1] or resumed[2]) if resumed else 0
    steps = _STEP.findall(text)
    reached, total = map(int, steps[-1]) if steps else (first, 0)
    return Life(ended_by, exit_code, seconds, ranks, first, reached, total)


def _digest(model_dir: Path) -> str:
    return hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()


def _tail(root: Path, lines: int = 15) -> str:
    return "\n".join((root / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
