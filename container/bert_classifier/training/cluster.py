"""Which ranks run on which host, and how they meet."""

import dataclasses
import logging
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Self

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.gpus import count_gpus
from bert_classifier.training.signals import StopSignal

logger = logging.getLogger(__name__)

MASTER_PORT = 7777
_LAST_PORT = 65535
_BACKLOG = 4096  # ranks that may connect before the first of them is accepted
_RESOLVE_SECONDS = 900  # for the other hosts' names to resolve


@dataclasses.dataclass(frozen=True)
class RankPlan:
    """Which ranks run where.

    Attributes:
        hosts: all hosts of the job; the ranks meet on the first.
        host_rank: index of this host.
        per_host: number of ranks on each host.
        port: where the ranks meet; 0 = open_rendezvous chooses a free one.
        interface: network interface between hosts; empty = the libraries choose.
    """

    hosts: Sequence[str]
    host_rank: int
    per_host: int
    port: int
    interface: str

    @classmethod
    def of(cls, config: TrainConfig, environment: Environment, environ: Mapping[str, str]) -> Self:
        """Plan one rank per GPU, or one per host without GPUs, unless the job sets another number.

        Raises:
            UserError: when num_gradient_groups would leave ranks without work, or MASTER_PORT is not a port.
        """
        per_host = config.processes_per_host or max(1, count_gpus())
        is_alone = len(environment.hosts) == 1
        wanted = environ.get("MASTER_PORT")
        port = _port(wanted) if wanted else 0 if is_alone else MASTER_PORT
        names = [name for _, name in socket.if_nameindex()]
        interface = environment.network_interface if environment.network_interface in names else ""
        plan = cls(environment.hosts, environment.host_rank, per_host, port, "lo" if is_alone else interface)
        groups = config.num_gradient_groups
        if groups is not None and groups < plan.size:
            raise UserError(
                f"num_gradient_groups={groups} leaves some of the {plan.size} processes without work.",
                "Set it to the largest number of processes that the run is to have, or leave it out.",
            )
        return plan

    @property
    def size(self) -> int:
        """Number of ranks in the whole job."""
        return len(self.hosts) * self.per_host

    def environ(self, local_rank: int) -> dict[str, str]:
        """Return the environment variables of a rank, under torchrun's names."""
        interface = {"GLOO_SOCKET_IFNAME": self.interface, "NCCL_SOCKET_IFNAME": self.interface}
        return {
            "RANK": str(self.host_rank * self.per_host + local_rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(local_rank),
            "LOCAL_WORLD_SIZE": str(self.per_host),
            "MASTER_ADDR": "127.0.0.1" if len(self.hosts) == 1 else self.hosts[0],
            "MASTER_PORT": str(self.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",  # open_rendezvous holds the store
            **(interface if self.interface else {}),
        }

    def name(self, local_rank: int) -> str:
        """Return a rank's name for messages."""
        return f"Rank {self.host_rank * self.per_host + local_rank} on {self.hosts[self.host_rank]}"

    def describe(self) -> str:
        """Return the plan in one line, for the log."""
        first, last = self.host_rank * self.per_host, (self.host_rank + 1) * self.per_host - 1
        ranks = f"rank {first}" if first == last else f"ranks {first} to {last}"
        # Asking for the GPUs' names would allocate memory on one of them.
        device = "a GPU each" if count_gpus() else "CPU"
        return (
            f"{len(self.hosts)} host(s) × {self.per_host} process(es) = {self.size} ranks; "
            f"{self.hosts[self.host_rank]} runs {ranks} on {device}; they meet at {self.hosts[0]}:{self.port}"
            f"{' over ' + self.interface if self.interface else ''}"
        )


def open_rendezvous(plan: RankPlan) -> tuple[RankPlan, TCPStore | None]:
    """On the first host, open the store through which the ranks meet; return the plan with its port, and the store.

    The port stays open while the caller holds the store, as with torchrun: a port bound later by a rank could be taken
    by then. With a single host, only this machine can reach it.

    Raises:
        PlatformError: when the port is in use.
    """
    if plan.host_rank:
        return plan, None
    try:
        listener = _listen(plan.port, is_alone=len(plan.hosts) == 1)
    except OSError as error:
        raise PlatformError(
            f"The ranks cannot meet at port {plan.port} of this host: {error.strerror}.",
            "Set the environment variable MASTER_PORT to a port that is free, the same on all hosts.",
        ) from error
    port = listener.getsockname()[1]
    store = TCPStore(
        "127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )
    return dataclasses.replace(plan, port=port), store


def _listen(port: int, *, is_alone: bool) -> socket.socket:
    if is_alone:
        return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    is_dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if is_dual else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=is_dual, backlog=_BACKLOG)


def wait_for_hosts(hosts: Sequence[str], stop: StopSignal, timeout: float = _RESOLVE_SECONDS) -> None:
    """Wait until every host's name resolves: the instances of a job do not start at the same moment.

    Raises:
        PlatformError: naming the host whose name does not resolve in time.
        Stopped: when a stop signal comes.
    """
    if len(hosts) == 1:
        return
    deadline, pause = time.monotonic() + timeout, 0.1
    for host in hosts:
        is_logged = False
        while not _resolves(host):
            if not is_logged:
                logger.info("waiting for host %s: its name does not resolve yet", host)
            is_logged = True
            stop.check()
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The name of host {host} still does not resolve after {timeout:.0f} s.",
                    "Start the job again; in a VPC, let its security group allow traffic among its own members.",
                )
            time.sleep(pause)
            pause = min(2 * pause, 5.0)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= _LAST_PORT):
        raise UserError(
            f"MASTER_PORT={text} is not a port.",
            f"Set it to a number from 1 to {_LAST_PORT}, or leave it out.",
        )
    return int(text)
