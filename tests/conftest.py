"""What every test gets: no variables of SageMaker, sockets to loopback only, a marker by its folder."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.aws import aws, aws_server, iam_aws  # noqa: F401 - fixtures
from support.ecr_registry import ecr_registry  # noqa: F401 - the same
from support.fakes import make_ml_root, make_pretrained

_FOLDER_MARKERS = {
    "integration": "integration",
    "container": "container",
    "gpu": "gpu",
    "benchmarks": "benchmark",
}
# What make hands on, such as ARGS of `make test`, would reach each make that a test calls.
_FOREIGN_VARIABLE = re.compile(
    r"(SAGEMAKER_|SM_|HF_|SERVING_|AWS_|LAUNCHER_).*|TRAINING_JOB_NAME|ML_ROOT|M(AKE)?FLAGS|MAKELEVEL|MAKEOVERRIDES"
)
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder of tests/ that it lies in."""
    here = Path(__file__).parent
    for item in items:
        marker = _FOLDER_MARKERS.get(item.path.relative_to(here).parts[0])
        if marker:
            item.add_marker(marker)


@pytest.fixture(scope="session", autouse=True)
def _guarded_session() -> Iterator[None]:
    """Clean the environment before the first fixture, and refuse connections to anything but loopback."""
    with pytest.MonkeyPatch.context() as patch:
        _remove_foreign_variables(patch)
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, _loopback_only(method))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what an earlier test may have left in the environment."""
    _remove_foreign_variables(monkeypatch)


@pytest.fixture(autouse=True)
def _unconfigured_log() -> Iterator[None]:
    """Leave the package's logger as it was found: a program that runs within a test configures it."""
    package = logging.getLogger("bert_classifier")
    before = package.handlers[:], package.level, package.propagate
    yield
    package.handlers[:], package.level, package.propagate = before


def _remove_foreign_variables(patch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if _FOREIGN_VARIABLE.fullmatch(name):
            patch.delenv(name)


def _loopback_only(method: str) -> Any:
    original = getattr(socket.socket, method)

    def guarded(self: socket.socket, address: Any) -> Any:
        internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if internet and not _LOOPBACK.fullmatch(str(address[0])):
            raise PermissionError(f"tests may connect to loopback only, not to {address[0]}")
        return original(self, address)

    return guarded


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny BERT encoder, shared: do not write to it."""
    return make_pretrained(tmp_path_factory.mktemp("pretrained") / "bert")


@pytest.fixture
def ml_root(tmp_path: Path) -> Path:
    """Return a small picture of /opt/ml of the test's own."""
    return make_ml_root(tmp_path / "ml")
