"""The image under the SageMaker SDK's generic Estimator, in local mode: nothing of ours between the two."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import Artifact
from support.free_port import free_port


@pytest.fixture(scope="module")
def folder(
    tagged: str,
    make_job: Callable[..., Path],
    run_host_script: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the folder of a job on two instances that the SDK has trained and deployed, with its artifact in it."""
    folder = tmp_path_factory.mktemp("sdk")
    job = make_job(folder / "ml")
    run_host_script("sdk_local_mode.py", tagged, job, folder, free_port())
    archive = str(json.loads((folder / "result.json").read_text(encoding="utf-8"))["model_data"])
    with tarfile.open(archive.removeprefix("file://")) as packed:
        packed.extractall(folder / "model", filter="data")
    return folder


@pytest.fixture(scope="module")
def artifact(folder: Path) -> Artifact:
    """Return what has been trained."""
    return load_artifact(folder / "model")


def digest_of(root: Path) -> str:
    """Return a digest of the trained weights."""
    return hashlib.sha256((root / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_two_instances_train_the_model_that_one_trains(folder, artifact, trained):
    """instance_count=2 and nothing else: both take part, and the bits are those of two processes in one container."""
    assert artifact.info["is_complete"]
    assert [(attempt["ranks"], attempt["shards"]) for attempt in artifact.info["lives"]] == [(2, 2)]
    assert digest_of(folder) == digest_of(trained)


def test_what_is_trained_is_deployed_and_answers(folder, artifact):
    """fit, deploy, predict, delete_endpoint."""
    answers = json.loads((folder / "result.json").read_text(encoding="utf-8"))["answer"]
    assert [answer["label"] in artifact.labels for answer in answers] == [True, True]
