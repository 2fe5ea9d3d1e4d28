"""Several ranks in one test: processes forked from it, which meet over loopback and leave their results."""

import dataclasses
import os
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.signals import Stopped
from support.free_port import free_port
from support.patience import PATIENCE_S


@dataclasses.dataclass(frozen=True)
class Raised:
    """An exception of a rank."""

    kind: type[BaseException]
    text: str
    is_timeout: bool


_ANSWER_SECONDS = 200.0  # without an answer from another rank, unless a test says otherwise


def on_ranks(
    size: int,
    work: Callable[[DistributedContext], Any],
    folder: Path,
    *,
    answer_seconds: float = _ANSWER_SECONDS,
) -> list[Any]:
    """Return what `work` returns, or what it raises (as Raised), on each of `size` ranks; None for one that died.

    Args:
        work: gets the rank's world; its result must be picklable.
        folder: for the results.
        answer_seconds: the ranks' timeout for each other.
    """
    port = free_port()
    ranks = [_fork(rank, size, port, work, folder, answer_seconds) for rank in range(size)]
    try:
        _wait(ranks, deadline=time.monotonic() + PATIENCE_S)
    finally:
        for pid in ranks:
            _kill(pid)
    paths = [folder / f"result-{port}-{rank}" for rank in range(size)]
    return [pickle.loads(path.read_bytes()) if path.exists() else None for path in paths]


def _fork(
    rank: int,
    size: int,
    port: int,
    work: Callable[[DistributedContext], Any],
    folder: Path,
    answer_seconds: float,
) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
        torch.set_num_threads(1)
        distributed = DistributedContext(rank, size, rank, size)
        try:
            distributed.join(answer_seconds)
            result = work(distributed)
            distributed.leave()
        except (Exception, Stopped) as error:  # noqa: BLE001 - what the rank raised is its result
            result = Raised(type(error), str(error), getattr(error, "is_timeout", False))
        partial = folder / f"partial-{port}-{rank}"
        partial.write_bytes(pickle.dumps(result))
        partial.rename(folder / f"result-{port}-{rank}")
    finally:
        os._exit(0)


def _wait(ranks: list[int], deadline: float) -> None:
    """Reap the ranks; one that is frozen is left when all others have ended."""
    left = set(ranks)
    while left and time.monotonic() < deadline:
        left -= {pid for pid in left if os.waitpid(pid, os.WNOHANG)[0]}
        if left and all(_is_stopped(pid) for pid in left):
            return
        time.sleep(0.01)
    assert not left, "ranks hang"


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "T"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
