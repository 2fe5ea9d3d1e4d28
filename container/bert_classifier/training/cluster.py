"""Which ranks run on which host, and how they find each other."""

import dataclasses
import logging
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Self

from torch._C._distributed_c10d import TCPStore

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.gpus import count_gpus
from bert_classifier.training.signals import StopSignal

logger = logging.getLogger(__name__)

MASTER_PORT = 7777
_LAST_PORT = 65535
_BACKLOG = 4096  # ranks that may call before the first of them is answered
_NAMES_SECONDS = 900  # for the other hosts' names to be known


@dataclasses.dataclass(frozen=True)
class RankPlan:
    """Which ranks run where.

    Attributes:
        hosts: of the job; the first is the master.
        host_rank: position of this host.
        per_host: ranks on each host.
        port: of the master, by which the ranks meet; 0 = any that is free, for open_rendezvous to say.
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
            UserError: when num_gradient_groups would leave ranks without work, or MASTER_PORT is no port.
        """
        per_host = config.processes_per_host or max(1, count_gpus())
        is_alone = len(environment.hosts) == 1
        told = environ.get("MASTER_PORT")
        port = _port(told) if told else 0 if is_alone else MASTER_PORT
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
            "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is the first host's launcher's: see open_rendezvous
            **(interface if self.interface else {}),
        }

    def name(self, local_rank: int) -> str:
        """Return what a person calls a rank of this host."""
        return f"Rank {self.host_rank * self.per_host + local_rank} on {self.hosts[self.host_rank]}"

    def describe(self) -> str:
        """Return the process map in one line."""
        first, last = self.host_rank * self.per_host, (self.host_rank + 1) * self.per_host - 1
        ranks = f"rank {first}" if first == last else f"ranks {first} to {last}"
        # Naming the GPUs would claim memory on one of them for this process.
        place = "a GPU each" if count_gpus() else "CPU"
        return (
            f"{len(self.hosts)} host(s) × {self.per_host} process(es) = {self.size} ranks; "
            f"{self.hosts[self.host_rank]} runs {ranks} on {place}; they meet at {self.hosts[0]}:{self.port}"
            f"{' over ' + self.interface if self.interface else ''}"
        )


def open_rendezvous(plan: RankPlan) -> tuple[RankPlan, TCPStore | None]:
    """Open the store by which the ranks meet, on the first host, and return the plan with its port.

    The launcher holds it, as torchrun's does, as long as it keeps the store: a port that a rank were to bind later
    could be another program's by then. Alone, a host opens it to nobody else.

    Raises:
        PlatformError: when another program has the port.
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
    if socket.has_dualstack_ipv6():
        family = socket.AF_INET6
        return socket.create_server(("", port), family=family, dualstack_ipv6=True, backlog=_BACKLOG)
    return socket.create_server(("", port), backlog=_BACKLOG)


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
        is_told = False
        while not _is_known(host):
            if not is_told:
                logger.info("waiting for host %s: its name is not known yet", host)
            is_told = True
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


def _port(told: str) -> int:
    if not (told.isdecimal() and 0 < int(told) <= _LAST_PORT):
        raise UserError(
            f"MASTER_PORT={told} is no port.", f"Set it to a number from 1 to {_LAST_PORT}, or not at all."
        )
    return int(told)
