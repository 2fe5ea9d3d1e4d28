"""The image under test: built once, from what lies here."""

import fcntl
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.containers import CONFINED, REPOSITORY, container, docker, engine_problem, open_to_all
from support.fakes import make_ml_root
from support.patience import PATIENCE_S

_IMAGE = "bert-classifier:under-test"
_HOST_PYTHON = REPOSITORY / ".venv" / "host" / "bin" / "python"
# As the SDK wants it: without it, pages of warnings and calls to addresses that nobody answers here.
_ENVIRON = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
}
_LONGEST_SCRIPT = 3 * PATIENCE_S  # it waits for several containers
_NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image and return its name; skip where no engine answers."""
    problem = engine_problem()
    if problem:
        pytest.skip(problem)
    # The second of two workers finds every layer in the engine's cache.
    with (tmp_path_factory.getbasetemp().parent / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build()
    return _IMAGE


def _build() -> None:
    environ = {**os.environ, "IMAGE": _IMAGE.split(":")[0], "TAG": _IMAGE.split(":")[1], "FLAVOUR": "cpu"}
    wheelhouse = os.environ.get("WHEELHOUSE", os.environ.get("PIP_FIND_LINKS", ""))
    built = subprocess.run(
        [str(REPOSITORY / "docker" / "build.sh")],
        env={**environ, "WHEELHOUSE": wheelhouse},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2200,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-3000:]


@pytest.fixture(scope="session")
def make_job() -> Callable[..., Path]:
    """Return a function that lays a toy job out and returns its folder; all of them train the same model."""

    def make(folder: Path, **hyperparameters: str) -> Path:
        settings = {"num_train_epochs": "2", "logging_steps": "1"}
        return make_ml_root(folder, hyperparameters={**settings, **hyperparameters}, rows=60)

    return make


@pytest.fixture(scope="session")
def trained(image: str, make_job: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return /opt/ml of a job of two processes that has run confined in the image; do not write to it."""
    root = open_to_all(make_job(tmp_path_factory.mktemp("trained") / "ml", processes_per_host="2"))
    with container(image, "train", *CONFINED, root=root) as training:
        assert training.wait() == 0, training.log()
        assert "1 host(s) × 2 process(es) = 2 ranks" in training.log()
    return root


@pytest.fixture(scope="module")
def tagged(image: str) -> Iterator[str]:
    """Return an image of these tests' own, and remove its containers in the end.

    They inherit its label. By `ancestor` they are not to be told from those that other tests run of the same layers.
    """
    key = uuid.uuid4().hex[:12]
    name, label = f"bert-classifier:sdk-{key}", f"bert-classifier.sdk-test={key}"
    made = ["docker", "build", "--quiet", "--label", label, "--tag", name, "-"]
    subprocess.run(
        made, input=f"FROM {image}\n", text=True, check=True, capture_output=True, timeout=PATIENCE_S
    )
    yield name
    left = docker("ps", "--all", "--quiet", "--filter", f"label={label}").stdout.split()
    if left:
        docker("rm", "--force", *left)
    docker("rmi", name)


@pytest.fixture(scope="module")
def run_host_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Return a function that runs a script of this folder in the SDK's environment, until it ends well."""
    if not _HOST_PYTHON.exists():
        pytest.skip("the SDK is not installed: `make test` does that where a Docker engine answers")
    settings = tmp_path_factory.mktemp("settings") / "sdk.yaml"
    settings.write_text(_NO_TELEMETRY, encoding="utf-8")

    def run(script: str, *arguments: object) -> None:
        command = [str(_HOST_PYTHON), str(Path(__file__).with_name(script)), *map(str, arguments)]
        environ = {**os.environ, **_ENVIRON, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings)}
        ended = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=_LONGEST_SCRIPT, check=False
        )
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]

    return run
