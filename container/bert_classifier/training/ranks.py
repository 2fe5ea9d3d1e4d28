"""The ranks of this host: start them, stop them, and end all of them when one fails."""

import functools
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from bert_classifier.errors import ContainerError, PlatformError
from bert_classifier.training.cluster import RankPlan, open_rendezvous, wait_for_hosts
from bert_classifier.training.failures import Outcome, outcome_file
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.signals import DUMP_STACKS, Stopped, StopSignal, signal_name

logger = logging.getLogger(__name__)

GRACE_SECONDS = 110  # for the ranks to save after a stop signal; SageMaker grants 120
_END_SECONDS = 4  # for the other ranks to end after one has failed
_DUMP_SECONDS = 0.5  # for a rank to write its stack
_POLL_SECONDS = 0.05
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


def run_ranks(
    plan: RankPlan,
    prepared: Callable[[Callable[[], None]], PreparedData],
    folder: Path,
    started: float,
    environ: MutableMapping[str, str],
    stop: StopSignal,
) -> None:
    """Run this host's ranks until all have ended; they start while the data are prepared, and wait for them.

    Args:
        prepared: prepares the data, and calls its argument when the ranks may start.
        folder: receives the prepared data and the ranks' outcomes.
        started: time.monotonic() at the start of the job.
        stop: forwarded to the ranks, which all stop after the same step.
    Raises:
        ContainerError: what `prepared` raises; the error of the rank that failed first, with its name.
        Stopped: when a stop signal ended the run early.
    """
    plan, _store = open_rendezvous(plan)  # held until the ranks have ended
    logger.info("%s", plan.describe())
    ranks = RankProcesses(folder)
    try:
        data = prepared(functools.partial(ranks.start, plan, started, environ))
        wait_for_hosts(plan.hosts, stop)
        with stop.immediately():
            data.save(folder)
        del data  # the ranks map the files
        ranks.wait(stop)
    finally:
        ranks.kill()
    _raise_outcome(plan, folder, ranks, stop)
    if plan.host_rank:
        logger.info("done: the model is on %s", plan.hosts[0])


class RankProcesses:
    """The processes of this host's ranks, by local rank.

    Args:
        folder: receives the ranks' outcomes.
    Attributes:
        failed_first: local ranks that had failed before the others were stopped.
        exit_codes: exit codes of the ranks that ended by themselves.
        dumped: local ranks that received the signal to dump their stacks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.failed_first: set[int] = set()
        self.exit_codes: dict[int, int] = {}
        self.dumped: set[int] = set()

    def start(self, plan: RankPlan, started: float, environ: Mapping[str, str]) -> None:
        """Start all ranks, with SIGTERM blocked until they handle it, since it would kill them before."""
        arguments = (str(self._folder), str(started), str(os.getpid()))
        path = os.pathsep.join(filter(None, (_PACKAGE_PARENT, environ.get("PYTHONPATH"))))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            for rank in range(plan.per_host):
                self._processes[rank] = start_rank(
                    {**environ, "PYTHONPATH": path, **plan.environ(rank)}, arguments
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def wait(self, stop: StopSignal) -> None:
        """Wait until all ranks have ended; forward a stop signal, and end the others as soon as one fails."""
        deadline = None
        while self._running():
            if any(process.poll() for process in self._processes.values()):
                self._end_others(deadline or time.monotonic() + _END_SECONDS)
                return
            if stop.number and deadline is None:
                deadline = time.monotonic() + GRACE_SECONDS
                self._send(signal.SIGTERM)
            if deadline is not None and time.monotonic() > deadline:
                logger.error("the ranks did not stop within %d s and were killed", GRACE_SECONDS)
                break
            time.sleep(_POLL_SECONDS)
        self._note_ends()

    def kill(self) -> None:
        """Kill the ranks that still run, with their child processes."""
        for process in self._running().values():
            os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes.values():
            process.wait()

    def _running(self) -> dict[int, "subprocess.Popen[bytes]"]:
        return {rank: process for rank, process in self._processes.items() if process.poll() is None}

    def _note_ends(self) -> None:
        codes = {rank: process.poll() for rank, process in self._processes.items()}
        self.exit_codes = {rank: code for rank, code in codes.items() if code is not None}
        self.failed_first = {rank for rank, code in self.exit_codes.items() if code}

    def _end_others(self, deadline: float) -> None:
        """Let the ranks that have not failed end until the deadline; dump their stacks if one of them hangs."""
        self._note_ends()
        outcomes = [Outcome.load(outcome_file(self._folder, rank)) for rank in self.failed_first]
        if any(outcome and outcome.saw_timeout for outcome in outcomes):
            self.dumped = set(self._running())
            self._send(DUMP_STACKS)
            time.sleep(_DUMP_SECONDS)
        self._send(signal.SIGTERM)
        while self._running() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running().values():
            process.send_signal(number)


def start_rank(environ: Mapping[str, str], arguments: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Start the program of one rank in a process group of its own."""
    command = [sys.executable, "-P", "-m", "bert_classifier.training.rank", *arguments]
    return subprocess.Popen(command, env=dict(environ), start_new_session=True)  # noqa: S603 - this program


def _raise_outcome(plan: RankPlan, folder: Path, ranks: RankProcesses, stop: StopSignal) -> None:
    """Raise what ended the ranks, unless all are done; a rank's own failure has priority over its consequences."""
    outcomes = {rank: Outcome.load(outcome_file(folder, rank)) for rank in range(plan.per_host)}
    silent = [rank for rank, outcome in outcomes.items() if outcome is None]
    if not silent and all(outcome == Outcome() for outcome in outcomes.values()):
        return  # the model is complete, even if a stop signal came while it was being written
    # The signal to dump stacks may interrupt a collective call with a meaningless error.
    known = {rank: o for rank, o in outcomes.items() if o is not None and rank not in ranks.dumped}
    own = {rank: outcome for rank, outcome in known.items() if outcome.family and not outcome.is_consequence}
    if own:
        rank = min(own, key=lambda rank: (rank not in ranks.failed_first, rank))
        raise own[rank].error(plan.name(rank))
    stopped_by = [outcome.stopped for outcome in known.values() if outcome.stopped]
    if stopped_by or stop.number:
        raise Stopped(signal_name(stop.number) if stop.number else stopped_by[0])
    for rank in silent:
        # A rank that we killed may just have been busy, unless others timed out waiting for it.
        if rank in ranks.exit_codes or any(outcome.saw_timeout for outcome in known.values()):
            raise _silent_end(plan.name(rank), ranks.exit_codes.get(rank))
    # A timeout says more than a closed connection.
    for rank, outcome in sorted(known.items(), key=lambda item: not item[1].saw_timeout):
        if outcome.family:
            raise outcome.error(plan.name(rank))


def _silent_end(who: str, code: int | None) -> ContainerError:
    """Return the error for a rank without an outcome; code None means that we killed it."""
    resumes = "a restarted job resumes from its last checkpoint"
    if code is None:
        return PlatformError(f"{who} did not respond and was killed.", f"Start the job again: {resumes}.")
    if code == -signal.SIGKILL:
        return PlatformError(
            f"{who} was killed by SIGKILL, most likely because the instance ran out of memory.",
            f"Use an instance with more memory; {resumes}.",
        )
    how = f"was killed by {signal_name(-code)}" if code < 0 else f"exited with code {code}"
    return PlatformError(f"{who} {how} without giving a reason.", "Look for its last log lines above.")
