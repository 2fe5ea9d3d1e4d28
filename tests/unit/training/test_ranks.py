"""A host's ranks: stopped together, ended together, and how their ends are judged."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.training import ranks as module
from bert_classifier.training.cluster import RankPlan
from bert_classifier.training.failures import Outcome, outcome_file
from bert_classifier.training.ranks import RankProcesses, _raise_outcome
from bert_classifier.training.signals import Stopped, StopSignal
from support.patience import PATIENCE_S
from support.train_cluster import await_end

PLAN = RankPlan(["localhost"], 0, 2, 1, "lo")
# Handles SIGTERM late, as a rank that first loads torch.
OBEDIENT = (
    "import signal, sys, time; time.sleep(0.5); signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
    "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM]); time.sleep(900)"
)
# Ignores SIGTERM, and so does the process that it has started.
STUBBORN = "import subprocess; subprocess.run(['sleep', '900'])"
FAILING = "import time, sys; time.sleep(0.5); sys.exit(3)"

Start = Callable[..., tuple[RankProcesses, list[int]]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return what starts two ranks, which run these programs instead of training, and returns their ids."""

    def started(*programs: str) -> tuple[RankProcesses, list[int]]:
        pids = []

        def start_rank(environ: dict[str, str], arguments: tuple[str, ...]) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", programs[int(environ["LOCAL_RANK"])], *arguments]
            process = subprocess.Popen(command, start_new_session=True)
            pids.append(process.pid)
            return process

        monkeypatch.setattr(module, "start_rank", start_rank)
        ranks = RankProcesses(tmp_path)
        ranks.start(PLAN, 0.0, {})
        return ranks, pids

    return started


def told_to_stop() -> StopSignal:
    """Return a stop signal that has come."""
    stop = StopSignal()
    stop.number = signal.SIGTERM
    return stop


def children_of(pid: int) -> list[str]:
    """Return the ids of a process's children, once it has some."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            return children
        time.sleep(0.05)
    return []


def test_a_stop_signal_reaches_ranks_that_do_not_handle_it_yet(start: Start) -> None:
    """Sent while they load, it is kept for them: all end by themselves."""
    ranks, pids = start(OBEDIENT, OBEDIENT)
    ranks.wait(told_to_stop())
    ranks.kill()
    assert (ranks.exit_codes, ranks.failed_first) == ({0: 0, 1: 0}, set())
    assert not await_end(pids, 0)


def test_when_one_fails_the_others_are_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, though one ignores SIGTERM, and with the processes that it has started."""
    monkeypatch.setattr(module, "_END_SECONDS", 0.5)
    ranks, pids = start(STUBBORN, FAILING)
    children = children_of(pids[0])
    ranks.wait(StopSignal())
    ranks.kill()
    assert (ranks.exit_codes, ranks.failed_first) == ({1: 3}, {1})
    assert children
    assert not await_end([*pids, *map(int, children)])


def test_ranks_that_do_not_stop_in_time_are_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform would kill the whole job a moment later, without a word."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 6)
    ranks, pids = start(STUBBORN, OBEDIENT)
    ranks.wait(told_to_stop())
    ranks.kill()
    assert "did not stop within 6 s and were killed" in caplog.text
    assert ranks.exit_codes == {1: 0}
    assert not await_end(pids)


def test_if_one_cannot_be_started_none_is_left(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or none: a job of fewer ranks than planned would wait for ever."""
    ranks, pids = start(STUBBORN, STUBBORN)

    def fail(*_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(module, "start_rank", fail)
    with pytest.raises(OSError, match="no more"):
        ranks.start(PLAN, 0.0, {})
    ranks.kill()
    assert not await_end(pids)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize(
    ("outcomes", "is_done"),
    [
        ((Outcome(), Outcome()), True),
        ((Outcome(), Outcome(stopped="SIGTERM")), False),
        ((Outcome(), None), False),
    ],
)
def test_a_stop_signal_after_the_end_changes_nothing(
    tmp_path: Path, outcomes: tuple[Outcome | None, ...], is_done: bool
) -> None:
    """If it comes while the first rank writes model and reports, the job is complete, as with one rank."""
    for rank, outcome in enumerate(outcomes):
        if outcome is not None:
            outcome.save(outcome_file(tmp_path, rank))
    if is_done:
        _raise_outcome(PLAN, tmp_path, RankProcesses(tmp_path), told_to_stop())
    else:
        with pytest.raises(Stopped, match="SIGTERM"):
            _raise_outcome(PLAN, tmp_path, RankProcesses(tmp_path), told_to_stop())
