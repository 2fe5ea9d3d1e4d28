"""The real `train` program when one rank or host does wrong: all end, and the failure file has the reason."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from support.fakes import make_ml_root
from support.patience import PATIENCE_S
from support.train_cluster import HOSTS, await_end, make_root, started
from support.train_process import failure_of

FAULTS = Path(__file__).parents[1] / "support" / "faulty_rank"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job; its input is shared by all roots of this module."""
    return make_ml_root(tmp_path_factory.mktemp("job") / "ml", rows=60)


def faulty(fault: str) -> dict[str, str]:
    """Return the variables that make rank 1 do wrong."""
    return {"FAULT": fault, "FAULTY_RANK": "1"}


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        # Both ranks compute with the gradient that is no number: either may be the first to say so.
        ("nan", 2, "UserError: Rank [01] on localhost: Training diverged: at step 3 the loss is nan"),
        pytest.param(
            *("leaves", 3, "PlatformError: Rank 1 on localhost exited with code 0 without giving a reason"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("memory", 3, "PlatformError: Rank 1 on localhost: The instance ran out of memory"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_rank_that_fails_ends_the_job_with_its_reason(job, tmp_path, fault, code, words):
    """A rank leaves as if it were done, runs out of memory, or computes no number: the job fails, soon and by name."""
    # Each evaluation saves a checkpoint: of step 2.
    settings = {"processes_per_host": "2", "num_train_epochs": "1000", "eval_steps": "2"}
    root = make_root(job, tmp_path / "ml", **settings)
    with started([root], environ=faulty(fault), is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == code, host.log.read_text()
        assert not list((root / "model").glob("*"))
    assert re.match(words, failure_of(root)), host.log.read_text()
    assert "Traceback" not in host.log.read_text()
    log = host.log.read_text()
    assert " step=2 " in log
    assert " step=3 " not in log  # the step that failed has changed nothing
    checkpoints = list((root / "checkpoints").glob("*.safetensors"))
    assert checkpoints
    for checkpoint in checkpoints:
        tensors = load_file(checkpoint)
        assert all(t.isfinite().all() for name, t in tensors.items() if name.startswith("model."))


@pytest.mark.slow
def test_a_rank_that_hangs_is_named_and_tells_where(job, tmp_path):
    """It computes for ever and holds the interpreter's lock: the log has its stack, down to the line that hangs."""
    root = make_root(
        job, tmp_path / "ml", processes_per_host="2", num_train_epochs="1000", peer_timeout_seconds="8"
    )
    with started([root], environ=faulty("hangs"), is_forked=True) as (host,):
        assert host.process.wait(PATIENCE_S) == 3
    assert failure_of(root).startswith("PlatformError: Rank 1 on localhost did not respond and was killed")
    line = next(
        n
        for n, text in enumerate((FAULTS / "sitecustomize.py").read_text().splitlines(), 1)
        if "sum(" in text
    )
    assert f'sitecustomize.py", line {line} in start_step' in host.log.read_text()


@pytest.mark.slow
def test_a_host_that_vanishes_ends_the_other(job, tmp_path):
    """All of a host's processes answer no more, and no connection is closed: the other waits its time and says so."""
    settings = {"processes_per_host": "2", "num_train_epochs": "1000", "peer_timeout_seconds": "8"}
    roots = [make_root(job, tmp_path / host, host, HOSTS, **settings) for host in HOSTS]
    with started(roots, is_forked=True) as (first, second):
        first.wait_for(" step=3 ")
        ranks = second.ranks()
        for pid in (second.process.pid, *ranks):
            os.kill(pid, signal.SIGSTOP)
        assert first.process.wait(PATIENCE_S) == 3
        assert "did not respond in time" in failure_of(first.root)
    assert not await_end(ranks)  # they end with their launcher


@pytest.mark.slow
def test_a_host_that_starts_late_is_waited_for(job, tmp_path):
    """Instances of one job do not start at the same moment; both hosts end well."""
    roots = [make_root(job, tmp_path / host, host, HOSTS, num_train_epochs="1") for host in HOSTS]
    with started(roots, apart=5, is_forked=True) as hosts:
        assert [host.process.wait(PATIENCE_S) for host in hosts] == [0, 0], hosts[0].log.read_text()
    assert json.loads((roots[0] / "model" / "training.json").read_text())["is_complete"]


def test_a_stop_ends_the_wait_for_a_host(job, tmp_path):
    """The log says that a name does not resolve yet, and a signal ends the wait at once."""
    root = make_root(job, tmp_path / "ml", "127.0.0.1", ("127.0.0.1", "algo-2.invalid"))
    with started([root], is_forked=True) as (host,):
        host.wait_for("waiting for host algo-2.invalid: its name does not resolve yet")
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(PATIENCE_S) == 143
    assert failure_of(root) == ""
