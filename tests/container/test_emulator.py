"""The emulator against images that keep the contract, and against one that does not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny_job
from support.containers import REPOSITORY, docker, engine_problem
from support.patience import PATIENCE_S
from support.rehearsals import EMULATOR, LONGEST, passed, rehearsal, with_outcome

pytestmark = pytest.mark.timeout(LONGEST + 60)
_BASE = os.environ.get("BASE", "python:3.11-slim-bookworm")
_GOOD = f"""FROM {_BASE}
COPY good.py /usr/local/bin/train
COPY good.py /usr/local/bin/serve
RUN sed -i '1i #!/usr/bin/env python3' /usr/local/bin/train /usr/local/bin/serve \
    && chmod 755 /usr/local/bin/train /usr/local/bin/serve
"""
_IDLE = _GOOD.replace("good.py", "idle.py")
# The shell is the first process: it keeps SIGTERM to itself, and its exit code is 0 whatever its child's was.
_BAD = f"""FROM {_BASE}
COPY bad.py /opt/program.py
COPY bad.py /opt/ml/model/program.py
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true
HEALTHCHECK CMD true
USER 1000
USER 0
ENTRYPOINT python /opt/program.py $0; true
"""
_BAD_FAULTS = {
    "image.reserved-tree", "train.artifact", "train.ballast", "train.missing-channel",
    "train.empty-channel", "train.bad-hyperparameter",
    "stop.ends", "stop.saves", "spot.resumes", "hosts.one-artifact", "hosts.lost-peer",
    "serve.ping-truth", "serve.ping-load", "serve.25mb", "serve.stop",
    "serve.bind-port", "serve.multi-models",
    "batch.execution-parameters", "batch.multi-record", "batch.last-line", "batch.bad-record",
}  # fmt: skip
_BAD_WARNINGS = {
    "image.entrypoint",
    "image.instructions",
    "train.writes",
    "train.log",
    "train.encodings",
    "serve.wrong-type",
    "serve.garbage",
    "train.unknown-user",
    "serve.ping-methods",
    "batch.line-ends",
    "clients.csv-header",
    "clients.expect",
}
# What a server of numbers that reads CSV alone cannot show.
_OF_CLASSES_AND_JSON = {"clients.json-lines-names", "clients.hugging-face", "clients.all-classes"}


def build(name: str, dockerfile: str) -> str:
    """Build an image from what lies in tests/container/images; return its name."""
    problem = engine_problem()
    if problem:
        pytest.skip(problem)
    folder = Path(__file__).parent / "images"
    command = ["docker", "build", "--quiet", "--tag", name, "--file", "-", str(folder)]
    subprocess.run(command, input=dockerfile, text=True, check=True, capture_output=True, timeout=PATIENCE_S)
    return name


@pytest.fixture(scope="module")
def good() -> str:
    """Return an image of a stranger's that keeps the contract."""
    return build("sagemaker-emulator-test:good", _GOOD)


@pytest.fixture(scope="module")
def bad() -> str:
    """Return an image with the usual faults."""
    return build("sagemaker-emulator-test:bad", _BAD)


@pytest.fixture(scope="module")
def idle() -> str:
    """Return an image whose programs do nothing."""
    return build("sagemaker-emulator-test:idle", _IDLE)


@pytest.fixture
def line_job(tmp_path: Path) -> Path:
    """Return a job of a stranger's: rows of two numbers, and a profile."""
    job = tmp_path / "job"
    (job / "input" / "data" / "train").mkdir(parents=True)
    rows = "".join(f"{x},{2 * x + 1}\n" for x in range(20))
    (job / "input" / "data" / "train" / "rows.csv").write_text(rows)
    (job / "payload.csv").write_text("3\n1\n4\n1.5\n9\n2.6")
    profile = {
        "hyperparameters": {"epochs": "20"},
        "long_hyperparameters": {"epochs": "3000"},
        "payloads": {"payload.csv": "text/csv"},
        "records": {"payload.csv": "text/csv"},
    }
    (job / "conformance.json").write_text(json.dumps(profile))
    return job


@pytest.fixture
def rehearse(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that rehearses an image, and returns the findings and the exit code."""
    return rehearsal(tmp_path / "findings.json")


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """Hold that every container and network of the emulator's is gone after each test."""
    yield
    if engine_problem():
        return
    of_runs = ("--quiet", "--filter", "label=sagemaker-emulator")
    assert docker("ps", "--all", *of_runs).stdout == ""
    assert docker("network", "ls", *of_runs).stdout == ""


def test_our_image_keeps_all_of_it(image, tmp_path, rehearse):
    """Every check passes, the optional ones too: an interrupted job has the same bits, and none is skipped.

    A stop and the loss of a host end it as documented, and on two hosts the first one alone writes the model.
    """
    job = tmp_path / "job"
    assert tiny_job.main([str(job)]) == 0
    profile = REPOSITORY / "local_test" / "conformance.json"
    result = rehearse(image, "--job", job, "--profile", profile, "--strict")
    others = {row["check"]: row for row in result["checks"] if row["outcome"] != "PASS"}
    assert others == {}
    assert (result["conformant"], result["exit code"]) == (True, 0)
    seen = with_outcome(result, "PASS")
    assert seen["stop.ends"].startswith("exit code 143 ")
    assert re.fullmatch(r"[1-9]\d* files in /opt/ml/model", seen["stop.saves"])
    assert re.fullmatch(r"[1-9]\d* \+ 0 files", seen["hosts.one-artifact"])
    lost = r"exit code 3 after \d+ s: PlatformError: Rank 0 on algo-1: Contact with the other processes .*"
    assert re.fullmatch(lost, seen["hosts.lost-peer"], re.DOTALL)


def test_a_strangers_image_keeps_it(good, line_job, rehearse):
    """A program of another kind passes with what a profile says about it; one host alone trains, so none waits."""
    result = rehearse(good, "--job", line_job, "--workers", 4, "--stop-seconds", 20, "--peer-seconds", 20)
    assert with_outcome(result, "FAIL") == {}
    assert with_outcome(result, "WARN") == {}
    assert with_outcome(result, "SKIP").keys() == {"hosts.lost-peer", *_OF_CLASSES_AND_JSON}
    assert result["exit code"] == 0


def test_the_faults_of_a_bad_image_are_found(bad, line_job, rehearse):
    """Exactly the faults that were built in, each with a remedy in the table."""
    limits = ("--stop-seconds", 4, "--drain-seconds", 4, "--refusal-seconds", 20, "--peer-seconds", 5)
    result = rehearse(bad, "--job", line_job, "--workers", 4, *limits)
    assert with_outcome(result, "FAIL").keys() == _BAD_FAULTS
    assert with_outcome(result, "WARN").keys() == _BAD_WARNINGS
    assert result["exit code"] == 1
    assert result["table"].count("→") == len(_BAD_FAULTS | _BAD_WARNINGS)


# What is true of an image whose train writes a file at once, and whose serve says 200 to /ping and 404 to all else.
_IDLE_TRUTHS = {
    "train.completes", "train.read-only-channels", "train.no-network", "train.small-shm", "train.artifact",
    "train.ballast", "train.writes", "train.log", "train.encodings", "train.platform-names", "train.unknown-user",
    "hosts.both-end", "serve.starts", "serve.ping-time", "batch.starts", "batch.execution-parameters",
    "serve.ping-methods", "serve.multi-models",
}  # fmt: skip
_QUICK = (
    "--workers",
    4,
    "--stop-seconds",
    4,
    "--drain-seconds",
    4,
    "--refusal-seconds",
    5,
    "--peer-seconds",
    5,
)


def test_nothing_is_proved_by_an_image_that_does_nothing(idle, line_job, rehearse):
    """No refusal, no resumption, no drained request, no restriction that was borne counts where none was met."""
    result = rehearse(idle, "--job", line_job, *_QUICK)
    # Whether SIGTERM meets a train that ends by itself after a moment is chance.
    assert passed(result) - {"stop.ends", "stop.saves"} == _IDLE_TRUTHS
    assert result["exit code"] == 1


def test_an_image_that_only_fails_has_refused_nothing(idle, line_job, rehearse):
    """A job without data fails, and so does every other; nothing of what is served can be seen."""
    result = rehearse(idle, "--job", line_job, *_QUICK, "--refusal-seconds", 60, "--env", "DEAD=1")
    assert passed(result) == {"train.failure-file", "serve.multi-models"}
    assert result["exit code"] == 1


@pytest.mark.parametrize(
    ("group", "first"),
    [("serve", "serve.starts"), ("clients", "clients.accept-any"), ("batch", "batch.starts")],
)
def test_a_model_that_could_not_be_trained_is_a_failure_of_what_serves_it(
    idle, line_job, rehearse, group, first
):
    """With --only, too, where the failed training has no row of its own."""
    result = rehearse(idle, "--job", line_job, *_QUICK, "--env", "DEAD=1", "--only", group)
    assert (result["conformant"], result["exit code"]) == (False, 1)
    assert with_outcome(result, "FAIL").keys() == {first}


@pytest.mark.parametrize(
    ("fault", "seconds", "found"),
    [("loopback", 5, {"serve.starts"}), ("writes", PATIENCE_S, {"serve.starts", "serve.read-only-model"})],
)
def test_a_server_that_nobody_reaches_is_distinguished(bad, tmp_path, rehearse, fault, seconds, found):
    """Bound to loopback it is never healthy; a server that needs a writable model folder is named as such."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.json").write_text("{}")
    options = ("--only", "serve", "--model", model, "--env", f"FAULT={fault}")
    result = rehearse(bad, *options, "--start-seconds", seconds, "--refusal-seconds", 5, "--workers", 4)
    failed = with_outcome(result, "FAIL")
    about_starting = {"serve.starts", "serve.read-only-model", "serve.no-network"}
    assert failed.keys() & about_starting == found


def test_ended_by_a_signal_it_leaves_nothing(good, line_job, tmp_path):
    """Ctrl-C and SIGTERM in the middle: exit code 130, one sentence, no container, network or folder."""
    command = [sys.executable, str(EMULATOR), good, "--job", str(line_job), "--work-dir", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "PASS" in line:
                break
        running.send_signal(2)
        rest = running.stderr.read()
        assert running.wait(PATIENCE_S) == 130
    assert "everything that was started is removed" in rest
    assert "Traceback" not in rest
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def test_what_cannot_be_rehearsed_is_reported(line_job):
    """An image that this machine does not have ends it at once, in one sentence."""
    problem = engine_problem()
    if problem:
        pytest.skip(problem)
    command = [sys.executable, str(EMULATOR), "no-such-image:0", "--job", str(line_job)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 2
    assert "This machine has no image no-such-image:0" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
