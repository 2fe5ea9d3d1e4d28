"""Run many interruption drills on a tiny model: does each end with the same model?

    PYTHONPATH=container:tests:local_test OMP_NUM_THREADS=1 python tests/benchmarks/kill_campaign.py --kills 200
        [--ranks 2 | --ranks 1,2,4]

Each attempt is forked from a process that has imported everything, so that an interruption costs two seconds, not ten.
The forked process runs the whole `train` program, which forks its ranks.
"""

import argparse
import contextlib
import dataclasses
import io
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch._dynamo  # noqa: F401 - AdamW imports it at its first step otherwise, in every attempt anew

import bert_classifier.training.worker  # noqa: F401 - the point of forking is that this is done
from bert_classifier.training import ranks
from bert_classifier.training.launch import main as train
from bert_classifier.training.rank import run_rank
from spot_drill.attempts import TRAINING, Attempt, attempts_of, hits_of, resumed_of, shortfall
from spot_drill.drill import Drill
from spot_drill.settings import DrillError
from support.fakes import make_ml_root

MOST_FAILURES = 5  # then the campaign ends


class Forked:
    """A program in a forked process, controlled as a subprocess.Popen."""

    def __init__(self, program: Callable[[], int]) -> None:
        self._exit_code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            try:
                code = program()
            finally:
                sys.stdout.flush()
                os._exit(code)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired after `timeout` seconds."""
        timeout = 3600 if timeout is None else timeout
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("train", timeout)
            time.sleep(0.005)
        return code

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


def fork_training(root: Path, log: Path) -> Forked:
    """Start `train` on a folder that stands for /opt/ml."""
    log.touch()

    def program() -> int:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)  # not the parent's, which collects its table
        os.environ["ML_ROOT"] = str(root)
        return train(os.environ)

    return Forked(program)


def fork_rank(environ: Mapping[str, str], arguments: Sequence[str]) -> Forked:
    """Start a rank in a process group of its own; stands in for ranks.start_rank."""

    def program() -> int:
        os.setsid()
        os.environ.update(environ)
        return run_rank(environ, arguments)

    return Forked(program)


@dataclasses.dataclass
class Totals:
    """What all drills together have shown."""

    hits: Counter[str] = dataclasses.field(default_factory=Counter)
    mismatches: int = 0
    failures: int = 0
    resumed: int = 0
    repeated_steps: int = 0

    def add(self, attempts: Sequence[Attempt], last_step: int) -> None:
        """Count the hits and what was resumed in one drill."""
        self.hits += Counter(attempt.phase for attempt in hits_of(attempts))
        self.resumed += len(resumed_of(attempts, last_step))
        begun = [attempt for attempt in attempts if attempt.has_begun]
        self.repeated_steps += sum(max(0, a.reached - b.resumed_from) for a, b in itertools.pairwise(begun))


def main() -> int:
    """Run drills until enough interruptions have happened; print the totals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kills-per-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", default="1")
    given = parser.parse_args()
    ranks.start_rank = fork_rank  # type: ignore[assignment]
    started, totals, seed = time.monotonic(), Totals(), given.seed
    with tempfile.TemporaryDirectory() as folder:
        settings = {"num_train_epochs": "5", "eval_steps": "50"}
        job = make_ml_root(Path(folder) / "job", hyperparameters=settings, rows=960)
        undisturbed, expected = _drill(job, Path(folder), 0, given).undisturbed()
        while totals.hits[TRAINING] < given.kills and totals.failures <= MOST_FAILURES:
            seed += 1
            _run(
                _drill(job, Path(folder), seed, given),
                undisturbed,
                expected,
                given.kills_per_run,
                totals,
                seed,
            )
    print(
        f"{totals.hits.total()} interruptions of runs of {undisturbed.reached} steps ({dict(totals.hits)}):"
        f" {totals.mismatches} mismatches, {totals.failures} failures or hangs; {totals.resumed} attempts resumed"
        f" training, {totals.repeated_steps} steps done twice; {time.monotonic() - started:.0f} s"
    )
    return 1 if totals.mismatches or totals.failures or not totals.resumed else 0


def _run(drill: Drill, undisturbed: Attempt, expected: str, kills: int, totals: Totals, seed: int) -> None:
    """Run one drill and add it to the totals; print what is wrong with it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()) as table:
            runs = drill.interrupted(undisturbed)
    except DrillError as error:
        totals.failures += 1
        print(f"seed {seed}: {error}", flush=True)
        return
    for run in runs:
        totals.add(run.attempts, undisturbed.reached)
    if missing := shortfall(attempts_of(runs), kills, undisturbed.reached):
        totals.failures += 1
        print(f"seed {seed}: {missing}\n{table.getvalue()}", flush=True)
    if any(run.digest != expected for run in runs):
        totals.mismatches += 1
        print(f"seed {seed}: THE MODELS DIFFER\n{table.getvalue()}", flush=True)


def _drill(job: Path, folder: Path, seed: int, given: argparse.Namespace) -> Drill:
    work_dir = folder / f"drill-{seed}"
    work_dir.mkdir()
    numbers = [int(part) for part in given.ranks.split(",")]
    return Drill(job, work_dir, given.kills_per_run, seed, fork_training, numbers)


if __name__ == "__main__":
    raise SystemExit(main())
