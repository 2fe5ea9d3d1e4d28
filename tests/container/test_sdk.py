"""The image under the SageMaker SDK's generic Estimator, in local mode: nothing of ours between the two."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.free_port import free_port


@pytest.fixture
def run_sdk(
    tmp_path: Path, tagged: str, run_host_script: Callable[..., None]
) -> Callable[..., dict[str, Any]]:
    """Return a function that trains, and with a port deploys, a job through the SDK."""

    def run(job: Path, instances: int, port: int = 0) -> dict[str, Any]:
        run_host_script("sdk_local_mode.py", tagged, job, tmp_path / "sdk", instances, port)
        result: dict[str, Any] = json.loads((tmp_path / "sdk" / "result.json").read_text(encoding="utf-8"))
        return result

    return run


def artifact_of(result: dict[str, Any], folder: Path) -> Any:
    """Unpack the archive that the SDK names and return the artifact in it."""
    with tarfile.open(str(result["model_data"]).removeprefix("file://")) as archive:
        archive.extractall(folder, filter="data")
    return load_artifact(folder)


def test_two_instances_train_one_model(run_sdk, make_job, tmp_path):
    """instance_count=2 and nothing else: both take part, and one artifact comes out."""
    artifact = artifact_of(run_sdk(make_job(), 2), tmp_path / "unpacked")
    assert artifact.info["is_complete"]
    assert [(attempt["ranks"], attempt["shards"]) for attempt in artifact.info["lives"]] == [(2, 2)]


def test_what_is_trained_is_deployed_and_answers(run_sdk, make_job, tmp_path):
    """fit, deploy, predict, delete_endpoint."""
    result = run_sdk(make_job(), 1, free_port())
    artifact = artifact_of(result, tmp_path / "unpacked")
    assert [answer["label"] in artifact.labels for answer in result["answer"]] == [True, True]
