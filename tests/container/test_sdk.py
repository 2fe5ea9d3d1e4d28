"""The image under the SageMaker SDK's generic Estimator, in local mode: nothing of ours between the two."""

import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.containers import REPOSITORY, docker
from support.free_port import free_port

_HOST_PYTHON = REPOSITORY / ".venv" / "host" / "bin" / "python"
# As the SDK wants it: without it, pages of warnings and calls to addresses that nobody answers here.
_ENVIRON = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
}
_NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'


@pytest.fixture
def tagged(image: str) -> Iterator[str]:
    """Return an image of this test's own, and remove its containers in the end.

    They inherit its label. By `ancestor` they are not to be told from those that other tests run of the same layers.
    """
    key = uuid.uuid4().hex[:12]
    name, label = f"bert-classifier:sdk-{key}", f"bert-classifier.sdk-test={key}"
    made = ["docker", "build", "--quiet", "--label", label, "--tag", name, "-"]
    subprocess.run(made, input=f"FROM {image}\n", text=True, check=True, capture_output=True, timeout=300)
    yield name
    left = docker("ps", "--all", "--quiet", "--filter", f"label={label}").stdout.split()
    if left:
        docker("rm", "--force", *left)
    docker("rmi", name)


@pytest.fixture
def run_sdk(tmp_path: Path, tagged: str) -> Callable[..., dict[str, Any]]:
    """Return a function that trains, and with a port deploys, a job through the SDK."""
    if not _HOST_PYTHON.exists():
        pytest.skip("the SDK is not installed: `make test` does that where a Docker engine answers")
    settings = tmp_path / "sdk.yaml"
    settings.write_text(_NO_TELEMETRY, encoding="utf-8")

    def run(job: Path, instances: int, port: int = 0) -> dict[str, Any]:
        script = Path(__file__).with_name("sdk_local_mode.py")
        ended = subprocess.run(
            [
                str(_HOST_PYTHON),
                str(script),
                tagged,
                str(job),
                str(tmp_path / "sdk"),
                str(instances),
                str(port),
            ],
            env={**os.environ, **_ENVIRON, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]
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
