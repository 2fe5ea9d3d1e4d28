"""The real `train` program on several hosts, which here are several roots and names of one machine."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from support.forked_jobs import ForkedJob
from support.free_port import free_port
from support.patience import PATIENCE_S
from support.train_process import CONTAINER

SETTINGS = {"num_train_epochs": "4", "logging_steps": "1", "checkpoint_interval_seconds": "1"}
MOMENTS = Path(__file__).parent / "faulty_moment"
HOSTS = ("127.0.0.1", "127.0.0.2")  # two names of one machine


@dataclasses.dataclass
class Host:
    """One host's `train`, its /opt/ml and its log."""

    root: Path
    process: "subprocess.Popen[bytes] | ForkedJob"
    log: Path

    def ranks(self) -> list[int]:
        """Return the processes that it has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text(encoding="utf-8").split()]

    def wait_for(self, text: str) -> None:
        """Wait until it has logged `text`."""
        while text not in self.log.read_text(encoding="utf-8"):
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            time.sleep(0.02)


def make_root(job: Path, root: Path, host: str = "", hosts: Sequence[str] = (), **settings: str) -> Path:
    """Return a root of its own for a job's data, on a host if one is named."""
    (root / "input" / "config").mkdir(parents=True)
    (root / "checkpoints").mkdir()
    (root / "input" / "data").symlink_to(job / "input" / "data")
    config = root / "input" / "config"
    hyperparameters = json.loads((job / "input" / "config" / "hyperparameters.json").read_text())
    (config / "hyperparameters.json").write_text(json.dumps({**hyperparameters, **SETTINGS, **settings}))
    if host:
        cluster = {"current_host": host, "hosts": list(hosts), "network_interface_name": "lo"}
        (config / "resourceconfig.json").write_text(json.dumps(cluster))
    return root


def signal_at(moment: str, number: int) -> dict[str, str]:
    """Return variables by which `started` has the job send itself a signal once it logs or opens `moment`.

    From outside, a busy machine would be too slow to hit a step.
    """
    path = os.pathsep.join((str(CONTAINER), str(MOMENTS)))
    return {"PYTHONPATH": path, "SIGNAL_AT": moment, "SIGNAL_NUMBER": str(int(number))}


@contextlib.contextmanager
def started(
    roots: Sequence[Path],
    *,
    apart: float = 0.0,
    environ: Mapping[str, str] | None = None,
    is_forked: bool = False,
) -> Iterator[list[Host]]:
    """Start `train` on each root as a host of one cluster, and leave no process behind.

    Args:
        apart: seconds between the starts of two hosts.
        environ: variables that the programs get besides.
        is_forked: fork the program and its ranks where torch is loaded already, which saves two thirds of a toy job's
            CPU time; for tests that do not look at its first second.
    """
    port = str(free_port())
    variables = {**os.environ, "PYTHONPATH": str(CONTAINER), "OMP_NUM_THREADS": "1", "MASTER_PORT": port}
    hosts: list[Host] = []
    try:
        for number, root in enumerate(roots):
            time.sleep(apart if number else 0)
            log = root / "log"
            log.write_bytes(b"")
            host_variables = {**variables, **(environ or {}), "ML_ROOT": str(root)}
            process = ForkedJob(root, environ=host_variables) if is_forked else _program(log, host_variables)
            hosts.append(Host(root, process, log))
        yield hosts
    finally:
        for host in hosts:
            host.process.kill()
            host.process.wait()


def _program(log: Path, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(CONTAINER / "train")], env=environ, stdout=output, stderr=subprocess.STDOUT
        )


def await_end(pids: Sequence[int], seconds: float = PATIENCE_S) -> list[int]:
    """Return those of the processes that have not ended after so many seconds: a killed one takes a moment."""
    deadline = time.monotonic() + seconds
    while (running := [pid for pid in pids if _is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:  # gone, perhaps while it was read
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
