"""The ranks of this host: started together, told to stop together, ended together when one of them fails.

The processes themselves are started, watched and ended by torch.distributed's launcher machinery.
"""

import dataclasses
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Self

import torch
from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SubprocessContext

from bert_classifier.config import TrainConfig
from bert_classifier.environment import Environment
from bert_classifier.errors import ContainerError, PlatformError, UserError
from bert_classifier.training.failures import Outcome
from bert_classifier.training.signals import Stopped, StopSignal, signal_name

logger = logging.getLogger(__name__)

MASTER_PORT = 7777
GRACE_SECONDS = 110  # for saving, when told to stop; SageMaker grants 120
_END_SECONDS = 4  # for the other ranks to end, when one has failed
_NAMES_SECONDS = 900  # for the other hosts' names to be known
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


@dataclasses.dataclass(frozen=True)
class RankPlan:
    """Which ranks run where.

    Attributes:
        hosts: of the job; the first is the master.
        host_rank: position of this host.
        per_host: ranks on each host.
        port: of the master, by which the ranks meet.
        interface: network interface between hosts; empty = the libraries choose.
    """

    hosts: Sequence[str]
    host_rank: int
    per_host: int
    port: int
    interface: str

    @classmethod
    def of(cls, config: TrainConfig, environment: Environment, environ: Mapping[str, str]) -> Self:
        """Return one rank a GPU, or one a host without GPUs, unless the job asks for another number.

        Raises:
            UserError: when gradient_shards would leave ranks without work.
        """
        per_host = config.processes_per_host or max(1, torch.cuda.device_count())
        is_alone = len(environment.hosts) == 1
        port = environ.get("MASTER_PORT") or (_free_port() if is_alone else MASTER_PORT)
        names = [name for _, name in socket.if_nameindex()]
        interface = environment.network_interface if environment.network_interface in names else ""
        plan = cls(
            environment.hosts, environment.host_rank, per_host, int(port), "lo" if is_alone else interface
        )
        if config.gradient_shards is not None and config.gradient_shards < plan.size:
            raise UserError(
                f"gradient_shards={config.gradient_shards} leaves some of the {plan.size} processes without work.",
                "Set it to the largest number of processes that the run is to have, or leave it out.",
            )
        return plan

    @property
    def size(self) -> int:
        """Ranks of the whole job."""
        return len(self.hosts) * self.per_host

    def environ(self, local_rank: int) -> dict[str, str]:
        """Return the variables by which a rank finds its place; torchrun's names."""
        interface = {"GLOO_SOCKET_IFNAME": self.interface, "NCCL_SOCKET_IFNAME": self.interface}
        return {
            "RANK": str(self.host_rank * self.per_host + local_rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(local_rank),
            "LOCAL_WORLD_SIZE": str(self.per_host),
            "MASTER_ADDR": "127.0.0.1" if len(self.hosts) == 1 else self.hosts[0],
            "MASTER_PORT": str(self.port),
            **(interface if self.interface else {}),
        }

    def describe(self) -> str:
        """Return the process map in one line."""
        first = self.host_rank * self.per_host
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return (
            f"{len(self.hosts)} host(s) × {self.per_host} process(es) = {self.size} ranks; "
            f"{self.hosts[self.host_rank]} runs ranks {first} to {first + self.per_host - 1} on "
            f"{gpus[0] if gpus else 'CPU'}; they meet at {self.hosts[0]}:{self.port}"
            f"{' over ' + self.interface if self.interface else ''}"
        )


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


def wait_for_hosts(hosts: Sequence[str], stop: StopSignal, most_seconds: float = _NAMES_SECONDS) -> None:
    """Wait until every host's name is known: instances of one job do not start at the same moment.

    Raises:
        PlatformError: naming the host that stays unknown.
        Stopped: when the program was told to stop.
    """
    if len(hosts) == 1:
        return
    deadline, pause = time.monotonic() + most_seconds, 0.1
    for host in hosts:
        while not _is_known(host):
            stop.check()
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The name of host {host} is still unknown after {most_seconds:.0f} s.",
                    "Start the job again; in a VPC, let its security group allow traffic among its own members.",
                )
            time.sleep(pause)
            pause = min(2 * pause, 5.0)


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        self._environ = environ
        self.failed_first: dict[int, int] = {}  # exit code by local rank
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

    def close(self, death_sig: signal.Signals | None = None, timeout: int = 30) -> None:
        """End what still runs; the machinery calls this as soon as a rank has failed."""
        if not self.failed_first:
            self.failed_first = {rank: failure.exitcode for rank, failure in self._failures.items()}
        if self._stopping_until is not None and death_sig is None:
            timeout = max(1, int(self._stopping_until - time.monotonic()))
        elif death_sig is None:
            timeout = _END_SECONDS
        super().close(death_sig, timeout)


def _raise_outcome(plan: RankPlan, folder: Path, context: _RankProcesses, stop: StopSignal) -> None:
    """Raise what ended the ranks, unless they are done: rather a failure than its consequences on other ranks."""
    outcomes = {rank: Outcome.load(folder / f"outcome-{rank}.json") for rank in range(plan.per_host)}
    own = {rank: o for rank, o in outcomes.items() if o and o.family and not o.is_consequence}
    if own:
        rank = min(own, key=lambda rank: (rank not in context.failed_first, rank))
        raise own[rank].error(_name(plan, rank))
    names = [o.stopped for o in outcomes.values() if o and o.stopped]
    if names or stop.number:
        raise Stopped(names[0] if names else signal_name(stop.number))
    for rank, code in context.failed_first.items():
        if outcomes[rank] is None:
            raise _silent_end(_name(plan, rank), code)
    for rank, outcome in outcomes.items():
        if outcome and outcome.family:
            raise outcome.error(_name(plan, rank))


def _name(plan: RankPlan, local_rank: int) -> str:
    return f"Rank {plan.host_rank * plan.per_host + local_rank} on {plan.hosts[plan.host_rank]}"


def _silent_end(who: str, code: int) -> ContainerError:
    """Return the error for a rank that ended without a word."""
    if code == -signal.SIGKILL:
        return PlatformError(
            f"{who} was ended by SIGKILL, which mostly means that the instance ran out of memory.",
            "Use an instance with more memory; a restarted job resumes from its last checkpoint.",
        )
    how = f"by {signal_name(-code)}" if code < 0 else f"with exit code {code}"
    return PlatformError(
        f"{who} ended {how} and gave no reason.", "Look for its last words in the log above."
    )
