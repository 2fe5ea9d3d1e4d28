"""The image's `train`, as SageMaker runs it: alone, confined, stopped, and on several hosts."""

import hashlib
import os
from pathlib import Path

from bert_classifier.artifact.artifact import load_artifact
from support.containers import CONFINED, container, name_hosts, network, open_to_all
from support.patience import PATIENCE_S

OWNER = f"--user={os.getuid()}:{os.getgid()}"


def digest_of(root: Path) -> str:
    """Return a digest of the trained weights."""
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_confined_and_as_an_unknown_user_it_trains(image, make_job):
    """Read-only root, no network, no rights, a user without a name or a home: as much as `docker run` can take away."""
    root = open_to_all(make_job())
    with container(image, "train", *CONFINED, root=root) as training:
        assert training.wait() == 0, training.log()
    assert load_artifact(root / "model").labels
    assert (root / "model" / "model.safetensors").stat().st_uid == 12345


def test_a_job_that_cannot_run_says_why(image, make_job):
    """The reason is in the failure file and in the container's log, the exit code is the family's."""
    root = make_job(learning_rat="1")
    with container(image, "train", OWNER, root=root) as training:
        assert training.wait() == 2
        failure = (root / "output" / "failure").read_text()
        assert "did you mean learning_rate?" in failure
        assert failure in training.log()


def test_a_stopped_job_saves_and_ends(image, make_job):
    """SIGTERM reaches it as the container's first process: checkpoint, loadable model, 143."""
    root = make_job(num_train_epochs="500")
    with container(image, "train", OWNER, root=root) as training:
        training.wait_for(" step=3 ")
        training.signal("TERM")
        assert training.wait() == 143, training.log()
    assert list((root / "checkpoints").glob("checkpoint-*.safetensors"))
    assert load_artifact(root / "model").info["is_complete"] is False
    assert not (root / "output" / "failure").exists()


def test_two_hosts_train_the_model_that_one_trains(image, make_job):
    """Two containers on one network, with names as SageMaker gives them, and one of two processes: the same bits."""
    alone = make_job("alone", processes_per_host="2")
    with container(image, "train", OWNER, root=alone) as training:
        assert training.wait() == 0, training.log()
    hosts = ("algo-1", "algo-2")
    roots = [make_job(host) for host in hosts]
    for root, host in zip(roots, hosts, strict=True):
        name_hosts(root, host, hosts)
    with network() as net:
        options = [(OWNER, f"--network={net}", f"--network-alias={host}") for host in hosts]
        with (
            container(image, "train", *options[0], root=roots[0]) as first,
            container(image, "train", *options[1], root=roots[1]) as second,
        ):
            assert (first.wait(), second.wait()) == (0, 0), first.log() + second.log()
            assert "2 host(s) × 1 process(es) = 2 ranks" in first.log()
    assert digest_of(roots[0]) == digest_of(alone)
    assert list((roots[1] / "model").iterdir()) == []


def test_a_lost_host_ends_the_other_with_the_reason(image, make_job):
    """One container is gone at once; the other does not wait for the job's time to be up."""
    hosts = ("algo-1", "algo-2")
    roots = [make_job(host, num_train_epochs="500", peer_timeout_seconds="5") for host in hosts]
    for root, host in zip(roots, hosts, strict=True):
        name_hosts(root, host, hosts)
    with network() as net:
        options = [(OWNER, f"--network={net}", f"--network-alias={host}") for host in hosts]
        with (
            container(image, "train", *options[0], root=roots[0]) as first,
            container(image, "train", *options[1], root=roots[1]) as second,
        ):
            first.wait_for(" step=3 ")
            second.signal("KILL")
            assert first.wait(PATIENCE_S) == 3, first.log()
    failure = (roots[0] / "output" / "failure").read_text()
    assert failure.startswith("PlatformError: Rank 0 on algo-1: Contact with the other processes")
