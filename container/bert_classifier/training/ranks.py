"""The ranks of this host: started together, told to stop together, ended together when one of them fails.

The processes themselves are started, watched and ended by torch.distributed's launcher machinery.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SubprocessContext

from bert_classifier.errors import ContainerError, PlatformError
from bert_classifier.training.cluster import RankPlan, open_rendezvous, wait_for_hosts
from bert_classifier.training.failures import Outcome, outcome_file
from bert_classifier.training.signals import DUMP_STACKS, Stopped, StopSignal, signal_name

logger = logging.getLogger(__name__)

GRACE_SECONDS = 110  # for saving, when told to stop; SageMaker grants 120
_DUMP_SECONDS = 0.5  # for a rank to write down where it is
_END_SECONDS = 4  # for the other ranks to end, when one has failed
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


def run_ranks(
    plan: RankPlan, folder: Path, started: float, environ: MutableMapping[str, str], stop: StopSignal
) -> None:
    """Run this host's ranks to their end.

    Args:
        folder: holds the prepared data; takes the ranks' outcomes.
        started: time.monotonic() at which the job began.
        environ: the process' environment.
        stop: forwarded to the ranks, which agree on a step to stop at.
    Raises:
        ContainerError: of the rank that failed first, naming it.
        Stopped: when the ranks were told to stop.
    """
    plan, _store = open_rendezvous(plan)  # held until the ranks have ended
    logger.info("%s", plan.describe())
    wait_for_hosts(plan.hosts, stop)
    context = _RankProcesses(plan, folder, started, environ)
    context.start_holding_signals()
    try:
        while context.wait(timeout=0.2, period=0.05) is None:
            if stop.number:
                context.tell_to_stop()
    finally:
        context.close(signal.SIGKILL)
    _raise_outcome(plan, folder, context, stop)
    if plan.host_rank:
        logger.info("done: the model is with %s", plan.hosts[0])


class _RankProcesses(SubprocessContext):
    """This host's ranks; when one fails, the others get a moment, then all end."""

    def __init__(
        self, plan: RankPlan, folder: Path, started: float, environ: MutableMapping[str, str]
    ) -> None:
        arguments = ("-P", "-m", "bert_classifier.training.rank", folder, started, os.getpid())
        path = os.pathsep.join(filter(None, (_PACKAGE_PARENT, environ.get("PYTHONPATH"))))
        locals_ = range(plan.per_host)
        super().__init__(
            name="rank",
            entrypoint=sys.executable,
            args=dict.fromkeys(locals_, arguments),
            envs={rank: {**environ, "PYTHONPATH": path, **plan.environ(rank)} for rank in locals_},
            logs_specs=DefaultLogsSpecs(log_dir=str(folder)),
        )
        self._folder = folder
        self._environ = environ
        self.failed_first: set[int] = set()  # local ranks
        self.disturbed: set[int] = set()  # local ranks that were told to dump their stacks
        self._is_closing = False
        self._ends: dict[int, int | None] = {}  # exit code by local rank, of those that ended by themselves
        self._stopping_until: float | None = None

    def start_holding_signals(self) -> None:
        """Start the ranks with SIGTERM held back, until they can heed it: before, it would just end them."""
        # The machinery wants to handle the signals itself; it gets one that nobody sends.
        self._environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGUSR2"
        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            self.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def tell_to_stop(self) -> None:
        """Send SIGTERM once, and end everything when the time for saving is over."""
        if self._stopping_until is None:
            self._stopping_until = time.monotonic() + GRACE_SECONDS
            for handler in self.subprocess_handlers.values():
                if handler.proc.poll() is None:
                    handler.proc.send_signal(signal.SIGTERM)
        elif time.monotonic() > self._stopping_until:
            logger.error("the ranks have not ended %d s after they were told to stop", GRACE_SECONDS)
            self.close(signal.SIGKILL)

    def own_end(self, local_rank: int) -> int | None:
        """Return the exit code of a rank that ended by itself, None if it was ended from here."""
        return self._ends.get(local_rank)

    def close(self, death_sig: signal.Signals | None = None, timeout: int = 30) -> None:
        """End what still runs; the machinery calls this as soon as a rank has failed."""
        if not self._is_closing:
            self._is_closing = True
            self.failed_first = set(self._failures)
            self._ends = {rank: handler.proc.poll() for rank, handler in self.subprocess_handlers.items()}
            self._dump_stacks_of_silent()
        if self._stopping_until is not None and death_sig is None:
            timeout = max(1, int(self._stopping_until - time.monotonic()))
        elif death_sig is None:
            timeout = _END_SECONDS
        super().close(death_sig, timeout)

    def _dump_stacks_of_silent(self) -> None:
        """Have the ranks that still run log where they are, if another has waited in vain for one of them."""
        outcomes = [Outcome.load(outcome_file(self._folder, rank)) for rank in self.failed_first]
        if not any(outcome and outcome.saw_timeout for outcome in outcomes):
            return
        for rank, code in self._ends.items():
            if code is None:
                self.disturbed.add(rank)
                self.subprocess_handlers[rank].proc.send_signal(DUMP_STACKS)
        time.sleep(_DUMP_SECONDS)


def _raise_outcome(plan: RankPlan, folder: Path, context: _RankProcesses, stop: StopSignal) -> None:
    """Raise what ended the ranks, unless they are done: rather a failure than its consequences on other ranks."""
    outcomes = {rank: Outcome.load(outcome_file(folder, rank)) for rank in range(plan.per_host)}
    silent = [rank for rank, outcome in outcomes.items() if outcome is None]
    if not silent and all(outcome == Outcome() for outcome in outcomes.values()):
        return  # done, though perhaps told to stop while the model was written: it is complete
    # The signal to dump stacks may end a wait for other ranks with an error that tells nothing.
    told = {rank: o for rank, o in outcomes.items() if o is not None and rank not in context.disturbed}
    own = {rank: outcome for rank, outcome in told.items() if outcome.family and not outcome.is_consequence}
    if own:
        rank = min(own, key=lambda rank: (rank not in context.failed_first, rank))
        raise own[rank].error(plan.name(rank))
    names = [outcome.stopped for outcome in told.values() if outcome.stopped]
    if names or stop.number:
        raise Stopped(names[0] if names else signal_name(stop.number))
    for rank in silent:
        # One that was ended from here was perhaps only busy, unless others have waited for it in vain.
        if context.own_end(rank) is not None or any(outcome.saw_timeout for outcome in told.values()):
            raise _silent_end(plan.name(rank), context.own_end(rank))
    # Who has waited in vain knows more than who saw that one leave.
    for rank, outcome in sorted(told.items(), key=lambda item: not item[1].saw_timeout):
        if outcome.family:
            raise outcome.error(plan.name(rank))


def _silent_end(who: str, code: int | None) -> ContainerError:
    """Return the error for a rank that ended without a word; code None = it had to be ended."""
    resumes = "a restarted job resumes from its last checkpoint"
    if code is None:
        return PlatformError(f"{who} gave no answer and had to be ended.", f"Start the job again: {resumes}.")
    if code == -signal.SIGKILL:
        return PlatformError(
            f"{who} was ended by SIGKILL, which mostly means that the instance ran out of memory.",
            f"Use an instance with more memory; {resumes}.",
        )
    how = f"by {signal_name(-code)}" if code < 0 else f"with exit code {code}"
    return PlatformError(
        f"{who} ended {how} and gave no reason.", "Look for its last words in the log above."
    )
