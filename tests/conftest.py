"""What every test gets: no variables of SageMaker, sockets to loopback only, a marker by its folder, a worker."""

import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from bert_classifier.job.cpu_quota import available_cores
from support.aws import aws, aws_server  # noqa: F401 - fixtures
from support.ecr_registry import ecr_registry  # noqa: F401 - the same
from support.fakes import make_ml_root, make_pretrained
from support.hosting import deploy  # noqa: F401 - the same
from support.launching import launch, served  # noqa: F401 - the same
from support.registry import register  # noqa: F401 - the same

_FOLDER_MARKERS = {
    "integration": "integration",
    "container": "container",
    "gpu": "gpu",
    "benchmarks": "benchmark",
}
# What make hands on, such as ARGS of `make test`, would reach each make that a test calls.
_FOREIGN_VARIABLE = re.compile(
    r"(SAGEMAKER_|SM_|HF_|SERVING_|AWS_|LAUNCHER_).*|TRAINING_JOB_NAME|ML_ROOT|M(AKE)?FLAGS|MAKELEVEL|MAKEOVERRIDES"
    r"|CHECKED_BY_MAKE"
)
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost")
# A worker with torch, and the trainings and servers that it starts.
_GIB_PER_WORKER = 3
# These share the engine's images. The emulator's are its own, and its tests hold that no container stays behind.
_ON_ONE_WORKER = re.compile(r"tests/(container)/(?:test_(emulator))?")
# These share nothing, and one worker would need longer than all others for the rest.
_ON_ANY_WORKER = "tests/integration/test_families.py"
# Of tests that need more than .pytest.ini gives: the first of the image builds it.
_LONGEST_SECONDS = {"container": 2400, "slow": 1200}

# As `train` and `serve` set it, here before torch is loaded: its threads would spin on cores that others need.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# The same examples each time, and no deadline: on busy cores it would measure the other tests.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder of tests/ that it lies in, and put what takes long first."""
    here = Path(__file__).parent
    for item in items:
        marker = _FOLDER_MARKERS.get(item.path.relative_to(here).parts[0])
        if marker:
            item.add_marker(marker)
        for name, seconds in _LONGEST_SECONDS.items():
            if item.get_closest_marker(name) and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(seconds))
    # Otherwise a worker that meets a long file last would keep all others waiting.
    longest = (*_LONGEST_SECONDS, "integration")
    items.sort(key=lambda item: [not item.get_closest_marker(name) for name in longest])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of `-n auto`: more than cores, since real programs mostly wait; fewer with little memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return max(1, min(available_cores() * 3 // 2, memory // _GIB_PER_WORKER))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the tests of one file to one worker, in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _shared_by
    return scheduler


def _shared_by(node_id: str) -> str:
    """Return what a test shares a worker by: its file, whose fixtures are made once, or the engine's images."""
    file = node_id.split("::")[0]
    if file == _ON_ANY_WORKER:
        return node_id
    shared = _ON_ONE_WORKER.match(file)
    return (shared[2] or shared[1]) if shared else file


@pytest.fixture(scope="session", autouse=True)
def _guarded_session() -> Iterator[None]:
    """Clean the environment before the first fixture, and refuse connections to anything but loopback."""
    # A shell that starts pytest in the background has it ignore Ctrl-C, and so would each program that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
