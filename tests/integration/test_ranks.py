"""The real `train` program on several processes and hosts: one model, and an end when any of them is lost."""

import hashlib
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.fakes import make_ml_root, toy_rows, write_csv
from support.forked_jobs import log_of, run_job
from support.patience import PATIENCE_S
from support.train_cluster import HOSTS, Host, await_end, make_root, started
from support.train_process import failure_of


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy job; its input is shared by all roots of this module."""
    return make_ml_root(tmp_path_factory.mktemp("job") / "ml", rows=60)


@pytest.fixture(scope="module")
def undisturbed(job: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of the model that one process trains with 4 gradient groups."""
    root = make_root(job, tmp_path_factory.mktemp("alone") / "ml", num_gradient_groups="4")
    assert run_job(root) == 0, log_of(root)
    return digest_of(root)


def digest_of(root: Path) -> str:
    """Return a digest of the trained weights."""
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


def ranks_of(host: Host) -> list[int]:
    """Wait until a host has started its two ranks; return them."""
    while len(ranks := host.ranks()) < 2:
        assert host.process.poll() is None, host.log.read_text()
        time.sleep(0.01)
    return ranks


def test_two_hosts_of_two_processes_train_the_model_of_one(job, tmp_path, undisturbed):
    """The same bits, one artifact: the second host's model folder stays empty."""
    settings = {"processes_per_host": "2", "gradient_shards": "4"}
    roots = [make_root(job, tmp_path / host, host, HOSTS, **settings) for host in HOSTS]
    with started(roots) as (first, second):
        assert (first.process.wait(PATIENCE_S), second.process.wait(PATIENCE_S)) == (0, 0), (
            first.log.read_text()
        )
    assert digest_of(roots[0]) == undisturbed
    assert list((roots[1] / "model").iterdir()) == list((roots[1] / "checkpoints").iterdir()) == []
    log = first.log.read_text()
    assert "2 host(s) × 2 process(es) = 4 ranks; 127.0.0.1 runs ranks 0 to 1 on CPU" in log
    assert log.count(" step=1 ") == 1
    assert "done: the model is on 127.0.0.1" in second.log.read_text()


@pytest.mark.slow
def test_a_run_goes_on_with_other_numbers_of_processes(job, tmp_path, undisturbed):
    """Stopped on 2, stopped on 4, finished on 1: the model of the run that nobody disturbed."""
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    for number, ranks in enumerate(("2", "4", "1")):
        settings = {"processes_per_host": ranks, "gradient_shards": "4"}
        root = make_root(job, tmp_path / str(number), **settings)
        shutil.copytree(checkpoints, root / "checkpoints", dirs_exist_ok=True)
        moment = "" if ranks == "1" else f"step={4 + 8 * number} "
        code = run_job(root, signal_at=moment, number=signal.SIGTERM)
        assert code == (0 if ranks == "1" else 143), log_of(root)
        assert ("resuming from step" in log_of(root)) == (number > 0)
        shutil.copytree(root / "checkpoints", checkpoints, dirs_exist_ok=True)
    assert digest_of(root) == undisturbed
    attempts = load_artifact(root / "model").info["lives"]
    assert [attempt["from_step"] for attempt in attempts] == [0, 4, 12]
    assert [(attempt["ranks"], attempt["shards"]) for attempt in attempts] == [(2, 4), (4, 4), (1, 4)]


def test_a_run_that_is_not_reproducible_resumes_too(job, tmp_path):
    """Stopped on 2 processes, finished on 3: each has a group of its own, and the log says what differs."""
    root = tmp_path / "ml"
    for ranks, moment in (("2", "step=4 "), ("3", "")):
        settings = {"processes_per_host": ranks, "reproducible": "false"}
        again = make_root(job, tmp_path / ranks, **settings)
        if root.exists():
            shutil.copytree(root / "checkpoints", again / "checkpoints", dirs_exist_ok=True)
        root = again
        code = run_job(root, signal_at=moment, number=signal.SIGTERM)
        assert code == (143 if moment else 0), log_of(root)
        assert "not reproducible to the bit" in log_of(root)
    info = load_artifact(root / "model").info
    assert [(attempt["from_step"], attempt["ranks"], attempt["shards"]) for attempt in info["lives"]] == [
        (0, 2, 2), (4, 3, 3),
    ]  # fmt: skip
    assert info["hyperparameters"]["reproducible"] == "false"
    assert info["reproducible"] is False
    log = log_of(root)
    assert "resumed with different gradient groups" in log
    assert "same data and order, but dropout masks and rounding may differ" in log
    assert "gives the same bits" not in log
    page = (root / "output" / "data" / "report.html").read_text(encoding="utf-8")
    assert "<dt>reproducible</dt><dd>false</dd>" in page
    assert re.search(r"<dt>attempt 2</dt><dd>from step 4, 3 × cpu .*, 3 gradient group\(s\)</dd>", page)


@pytest.fixture
def two_hosts(job: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Host]]:
    """Return two hosts of two ranks that train and would for a long time; a parameter is their peer_timeout_seconds."""
    timeout = getattr(request, "param", str(PATIENCE_S))
    settings = {"processes_per_host": "2", "num_train_epochs": "1000", "peer_timeout_seconds": timeout}
    roots = [make_root(job, tmp_path / host, host, HOSTS, **settings) for host in HOSTS]
    with started(roots, is_forked=True) as hosts:
        hosts[0].wait_for(" step=3 ")
        yield hosts


@pytest.mark.parametrize("host", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_rank_ends_all_hosts_and_is_named(two_hosts, host):
    """Without waiting peer_timeout_seconds; its host says which rank and how, the other that it lost contact."""
    killed = time.monotonic()
    os.kill(two_hosts[host].ranks()[1], signal.SIGKILL)
    assert [h.process.wait(PATIENCE_S) for h in two_hosts] == [3, 3]
    assert time.monotonic() - killed < PATIENCE_S  # 1.3 s on a machine to itself
    rank = 2 * host + 1
    assert failure_of(two_hosts[host].root).startswith(
        f"PlatformError: Rank {rank} on {HOSTS[host]} was killed by SIGKILL"
    )
    assert "Contact with the other processes of the job is lost" in failure_of(two_hosts[1 - host].root)


@pytest.mark.slow
def test_a_killed_host_ends_the_other(two_hosts):
    """The launcher is killed: its ranks end with it, and those of the other host notice."""
    ranks = two_hosts[1].ranks()
    two_hosts[1].process.kill()
    assert two_hosts[0].process.wait(PATIENCE_S) == 3
    assert failure_of(two_hosts[0].root).startswith("PlatformError: Rank 0 on 127.0.0.1: Contact with")
    assert not await_end(ranks)


def test_ranks_that_still_start_end_with_a_killed_launcher(job, tmp_path):
    """Killed before its ranks have loaded torch, it leaves no orphan either."""
    with started([make_root(job, tmp_path / "ml", processes_per_host="2")]) as (host,):
        ranks = ranks_of(host)
        host.process.kill()
        assert not await_end(ranks)


@pytest.fixture
def preparing(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Host, list[int]]]:
    """Return a host that reads for seconds, of which the last row is broken, and its two ranks, which wait.

    The parameter: whether they are forked, so that torch is loaded already, or still load it.
    """
    root = make_ml_root(tmp_path / "large")
    rows = root / "input" / "data" / "train" / "train.csv"
    write_csv(rows, toy_rows(500) * 300)
    with rows.open("a") as file:
        file.write('"1","t","never closed\n')
    (tmp_path / "tmp").mkdir()
    job = make_root(root, tmp_path / "ml", processes_per_host="2")
    environ = {"TMPDIR": str(tmp_path / "tmp")}
    with started([job], environ=environ, is_forked=request.param) as (host,):
        host.wait_for("reading the data")
        yield host, ranks_of(host)


@pytest.mark.parametrize("preparing", [True], indirect=True, ids=["forked"])
def test_data_that_cannot_be_used_end_the_ranks_that_wait_for_them(preparing, tmp_path):
    """They have started beside the reading: the job ends with the sentence of the data, and nothing is left."""
    host, ranks = preparing
    assert host.process.wait(PATIENCE_S) == 2
    assert "is never closed" in failure_of(host.root)
    assert not await_end(ranks)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("preparing", [False], indirect=True, ids=["program"])
def test_a_stop_of_the_preparation_ends_the_ranks_that_wait_for_it(preparing, tmp_path):
    """143 and no failure, though the ranks have not heard of it."""
    host, ranks = preparing
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(PATIENCE_S) == 143
    assert failure_of(host.root) == ""
    assert not await_end(ranks)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("two_hosts", ["8"], indirect=True)
def test_a_frozen_rank_is_found_by_the_timeout_and_named(two_hosts):
    """It neither ends nor responds: the others wait peer_timeout_seconds, and its own host kills it."""
    os.kill(two_hosts[1].ranks()[0], signal.SIGSTOP)
    assert [host.process.wait(PATIENCE_S) for host in two_hosts] == [3, 3]
    assert "did not respond in time" in failure_of(two_hosts[0].root)
    assert failure_of(two_hosts[1].root).startswith(
        "PlatformError: Rank 2 on 127.0.0.2 did not respond and was killed"
    )


@pytest.mark.slow
def test_a_stop_of_one_host_stops_both_after_the_same_step(two_hosts):
    """Though the signal reached the second host alone, the first saves checkpoint and model, and both exit with 143."""
    two_hosts[1].process.send_signal(signal.SIGTERM)
    assert [host.process.wait(PATIENCE_S) for host in two_hosts] == [143, 143]
    root = two_hosts[0].root
    assert load_artifact(root / "model").info["is_complete"] is False
    assert list((root / "checkpoints").glob("checkpoint-*.safetensors"))
    assert [failure_of(host.root) for host in two_hosts] == ["", ""]


@pytest.mark.slow
def test_hosts_with_other_data_are_refused(job, tmp_path):
    """Sharded by S3 key, every host would learn and judge something else; both say so, and which host differs."""
    roots = [make_root(job, tmp_path / host, host, HOSTS) for host in HOSTS]
    data = roots[1] / "input" / "data"
    data.unlink()
    shutil.copytree(job / "input" / "data", data)
    (file,) = (data / "train").glob("*.csv")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-3]), encoding="utf-8")
    with started(roots, is_forked=True) as hosts:
        assert [host.process.wait(PATIENCE_S) for host in hosts] == [2, 2]
    for host in hosts:
        failure = failure_of(host.root)
        assert "Host 127.0.0.2 differs from host 127.0.0.1 in: train_data" in failure
        assert "FullyReplicated" in failure
