"""Which ranks run where: from the hosts, the GPUs and what the job asks for."""

import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.training.cluster import RankPlan, open_rendezvous, wait_for_hosts
from bert_classifier.training.signals import Stopped, StopSignal
from support.clear_text import assert_clear
from support.free_port import free_port

HOSTS = ("algo-1", "algo-10", "algo-2")


def plan(
    hosts: tuple[str, ...] = HOSTS,
    current: str = "",
    environ: Any = None,
    interface: str = "lo",
    **settings: Any,
) -> RankPlan:
    """Return the plan of a job on these hosts, seen from one of them."""
    environment = Environment(
        Path("/nowhere"), {}, {}, hosts=hosts, current_host=current or hosts[0], network_interface=interface
    )
    return RankPlan.of(TrainConfig(**settings), environment, environ or {})


def test_without_gpus_there_is_one_rank_a_host():
    """The usual job on CPU instances."""
    assert (plan().per_host, plan().size) == (1, 3)


def test_with_gpus_there_is_one_rank_a_gpu(monkeypatch):
    """Nothing to configure; a number that the job gives goes first."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert plan().size == 12
    assert plan(processes_per_host=2).size == 6
    assert "algo-10 runs ranks 4 to 7 on a GPU each" in plan(current="algo-10").describe()


def test_gpus_that_torch_cannot_use_get_no_ranks(monkeypatch):
    """With a driver that is too old, the driver's management library counts GPUs all the same."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert plan().size == 3
    assert "on CPU" in plan().describe()


def test_ranks_are_numbered_host_by_host():
    """In the order of the hosts' names; the first host is where they meet, over the job's interface."""
    second = plan(current="algo-10", processes_per_host=2, num_gradient_groups=8)
    assert second.environ(1) == {
        "RANK": "3", "WORLD_SIZE": "6", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "algo-1",
        "MASTER_PORT": "7777", "TORCHELASTIC_USE_AGENT_STORE": "True", "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    assert second.name(1) == "Rank 3 on algo-10"
    assert "3 host(s) × 2 process(es) = 6 ranks" in second.describe()


def test_one_host_needs_no_network():
    """Its ranks meet over loopback, at a port that nobody else can take and only this machine can reach."""
    alone, store = open_rendezvous(plan(("algo-1",), processes_per_host=2, interface="eth7"))
    variables = alone.environ(0)
    assert store is not None
    assert (variables["MASTER_ADDR"], variables["GLOO_SOCKET_IFNAME"]) == ("127.0.0.1", "lo")
    assert f"they meet at algo-1:{variables['MASTER_PORT']} over lo" in alone.describe()
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(("127.0.0.1", int(variables["MASTER_PORT"])))
    assert _listening_addresses(int(variables["MASTER_PORT"])) == {"0100007F"}


def _listening_addresses(port: int) -> set[str]:
    """Return the local addresses, in the kernel's hexadecimal form, at which anything listens at a port."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {
        fields[1].split(":")[0]
        for fields in lines
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    }


def test_the_first_host_of_several_can_be_reached_by_all():
    """It listens on every address, IPv4 and IPv6; the others open nothing."""
    port = str(free_port())
    first, store = open_rendezvous(plan(environ={"MASTER_PORT": port}))
    assert store is not None
    assert first.environ(0)["MASTER_PORT"] == port
    for address in ("127.0.0.1", "127.0.0.2"):
        socket.create_connection((address, int(port)), timeout=5).close()
    other = plan(current="algo-10", environ={"MASTER_PORT": port})
    assert open_rendezvous(other) == (other, None)


@pytest.mark.parametrize("hosts", [HOSTS, ("algo-1",)])
def test_a_port_that_another_program_has_is_reported(hosts):
    """Before any rank is started, and not as the loss of one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            PlatformError, match=f"cannot meet at port {port} of this host: Address .* in use"
        ) as caught:
            open_rendezvous(plan(hosts, environ={"MASTER_PORT": str(port)}))
    assert_clear(caught.value)
    assert "MASTER_PORT" in caught.value.remedy


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "7777.0"])
def test_what_is_no_port_is_refused(port):
    """A slip in the environment is the user's, not a bug in the program."""
    with pytest.raises(UserError, match=f"MASTER_PORT={port} is not a port") as caught:
        plan(environ={"MASTER_PORT": port})
    assert_clear(caught.value)


def test_an_interface_that_is_not_there_is_left_to_the_libraries():
    """Local rehearsals name interfaces that only SageMaker's machines have."""
    assert "GLOO_SOCKET_IFNAME" not in plan(interface="ethwe").environ(0)


def test_the_port_can_be_set():
    """MASTER_PORT, as torchrun's users know it."""
    assert plan(environ={"MASTER_PORT": "29500"}).environ(0)["MASTER_PORT"] == "29500"


def test_fewer_gradient_groups_than_ranks_are_refused():
    """Some ranks would cost money and compute nothing."""
    with pytest.raises(
        UserError, match=r"num_gradient_groups=2 leaves some of the 3 processes without work"
    ) as caught:
        plan(num_gradient_groups=2)
    assert_clear(caught.value)
    assert plan(num_gradient_groups=3).size == 3


def test_names_are_waited_for(monkeypatch):
    """A host that starts a little later is no failure."""
    failures = [OSError("not yet"), OSError("not yet")]

    def look_up(_host: str, _port: None) -> list[Any]:
        if failures:
            raise failures.pop()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    wait_for_hosts(HOSTS, StopSignal())
    assert not failures


def test_a_name_that_stays_unknown_is_named(monkeypatch):
    """The job ends with a sentence instead of hanging until its time is up."""

    def unknown(host: str, _port: None) -> list[Any]:
        if host == "algo-2":
            raise OSError("Name or service not known")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(PlatformError, match="The name of host algo-2 still does not resolve") as caught:
        wait_for_hosts(HOSTS, StopSignal(), timeout=0.2)
    assert_clear(caught.value)
    stop = StopSignal()
    stop.number = signal.SIGTERM
    with pytest.raises(Stopped):
        wait_for_hosts(HOSTS, stop)


def test_one_host_waits_for_nobody(monkeypatch):
    """No name is looked up where there is no network."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("looked up"))
    wait_for_hosts(("algo-1",), StopSignal())
