"""The quota of a real container: what Docker grants is what a rank and a server plan with."""

import os

import pytest

from support.containers import REPOSITORY, docker, engine_problem

_BASE = os.environ.get("BASE", "python:3.11-slim-bookworm")
_ASK = (
    "import sys; sys.path.insert(0, '/module'); "
    "from bert_classifier.job.cpu_quota import available_cores; print(available_cores())"
)


@pytest.mark.skipif(bool(engine_problem()), reason=engine_problem() or "no engine")
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a quota of one core limits no machine of one")
@pytest.mark.parametrize(
    ("options", "cores"),
    [
        (["--cpus=1"], 1),
        (["--cpus=1.5"], 1),
        (["--cpus=1", "--cgroupns=host"], 1),
        (["--cpuset-cpus=0"], 1),
        ([], len(os.sched_getaffinity(0))),
    ],
)
def test_a_container_knows_its_quota(options: list[str], cores: int) -> None:
    """With a namespace of control groups of its own and without; the module needs nothing but Python."""
    mount = f"--volume={REPOSITORY / 'container'}:/module:ro"
    answer = docker("run", "--rm", "--network=none", mount, *options, _BASE, "python", "-c", _ASK)
    assert int(answer.stdout) == cores
