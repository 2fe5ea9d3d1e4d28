"""Run many interruption drills on a tiny model: does each end with the same model?

    PYTHONPATH=container:tests:local_test OMP_NUM_THREADS=1 python tests/benchmarks/kill_campaign.py --kills 200
        [--ranks 2 | --ranks 1,2,4]

Each attempt is forked from a process that has imported everything, so that an interruption costs two seconds, not ten;
what is forked then runs the whole `train` program, and its ranks are forked from it.
"""

import argparse
import contextlib
import io
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch._dynamo  # noqa: F401 - AdamW imports it at its first step otherwise, in every attempt anew

import bert_classifier.training.worker  # noqa: F401 - the point of forking is that this is done
from bert_classifier.training import ranks
from bert_classifier.training.launch import main as train
from bert_classifier.training.rank import run_rank
from spot_drill.attempts import TRAINING, hits_of, resumed_of, shortfall
from spot_drill.drill import Drill, DrillError
from support.fakes import make_ml_root

MOST_FAILURES = 5  # then the campaign ends


class Forked:
    """A forked `train` program, with the methods of subprocess.Popen that the drill uses."""

    def __init__(self, root: Path, log: Path) -> None:
        self._exit_code: int | None = None
        log.touch()
        self._pid = os.fork()
        if self._pid == 0:
            self._become_program(root, log)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self._exit_code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise when it takes longer than `timeout` seconds."""
        deadline = time.monotonic() + (timeout if timeout is not None else 3600)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("train", timeout or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self._pid, sig)

    def _become_program(self, root: Path, log: Path) -> None:
        code = 99
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.stdout = os.fdopen(1, "w", closefd=False)  # not the parent's, which collects its table
            os.environ["ML_ROOT"] = str(root)
            code = train(os.environ)
        finally:
            os._exit(code)


class ForkedRank:
    """A forked rank, with the methods of subprocess.Popen that the launcher uses."""

    def __init__(self, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
        self.pid = os.fork()
        self._exit_code: int | None = None
        if self.pid == 0:
            code = 99
            try:
                os.setsid()
                os.environ.update(environ)
                code = run_rank(environ, arguments)
            finally:
                sys.stdout.flush()
                os._exit(code)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self._exit_code

    def wait(self) -> int:
        """Return the exit code."""
        while (code := self.poll()) is None:
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


def main() -> int:
    """Run drills until enough interruptions have happened; print the sums."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kills-a-run", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", default="1")
    given = parser.parse_args()
    ranks.start_rank = ForkedRank  # type: ignore[assignment]
    started, mismatches, failures, resumed, lost = time.monotonic(), 0, 0, 0, 0
    hits: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"num_train_epochs": "5", "eval_steps": "50"}
        job = make_ml_root(Path(folder) / "job", hyperparameters=settings, rows=960)
        undisturbed, expected = _drill(job, Path(folder), 0, given).undisturbed()
        seed = given.seed
        while hits[TRAINING] < given.kills and failures <= MOST_FAILURES:
            seed += 1
            try:
                with contextlib.redirect_stdout(io.StringIO()) as table:
                    attempts, found = _drill(job, Path(folder), seed, given).interrupted(undisturbed)
            except DrillError as error:
                failures += 1
                print(f"seed {seed}: {error}", flush=True)
                continue
            hits += Counter(attempt.phase for attempt in hits_of(attempts))
            failures += bool(missing := shortfall(attempts, given.kills_a_run, undisturbed.reached))
            if missing:
                print(f"seed {seed}: {missing}\n{table.getvalue()}", flush=True)
            mismatches += found != expected
            resumed += len(resumed_of(attempts, undisturbed.reached))
            begun = [attempt for attempt in attempts if attempt.has_begun]
            lost += sum(max(0, a.reached - b.resumed_from) for a, b in itertools.pairwise(begun))
            if found != expected:
                print(f"seed {seed}: THE MODELS DIFFER\n{table.getvalue()}", flush=True)
    print(
        f"{hits.total()} interruptions of runs of {undisturbed.reached} steps ({dict(hits)}): {mismatches} mismatches,"
        f" {failures} failures or hangs; {resumed} attempts resumed training, {lost} steps done twice;"
        f" {time.monotonic() - started:.0f} s"
    )
    return 1 if mismatches or failures or not resumed else 0


def _drill(job: Path, folder: Path, seed: int, given: argparse.Namespace) -> Drill:
    work_dir = folder / f"drill-{seed}"
    work_dir.mkdir()
    return Drill(
        job, work_dir, given.kills_a_run, seed, Forked, [int(part) for part in given.ranks.split(",")]
    )


if __name__ == "__main__":
    raise SystemExit(main())
