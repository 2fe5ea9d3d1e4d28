"""The image's `train`, as SageMaker runs it; more of it is in test_emulator.py and test_sdk.py."""

import os

from bert_classifier.artifact.artifact import load_artifact
from support.containers import container


def test_confined_and_as_an_unknown_user_it_trains(trained):
    """Read-only root, no network, no rights, a user without a name or a home: as much as `docker run` can take away."""
    assert load_artifact(trained / "model").labels
    assert (trained / "model" / "model.safetensors").stat().st_uid == 12345


def test_a_job_that_cannot_run_says_why(image, make_job, tmp_path):
    """The reason is in the failure file and in the container's log, the exit code is the family's."""
    root = make_job(tmp_path / "ml", learning_rat="1")
    owner = f"--user={os.getuid()}:{os.getgid()}"
    with container(image, "train", owner, root=root) as training:
        assert training.wait() == 2
        failure = (root / "output" / "failure").read_text()
        assert "did you mean learning_rate?" in failure
        assert failure in training.log()
