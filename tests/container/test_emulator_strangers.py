"""The emulator against images as others make them: AWS' "bring your own" kind, and AWS' two toolkits."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.containers import engine_problem
from support.patience import PATIENCE_S
from support.rehearsals import LONGEST, rehearsal, with_outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LONGEST + 360)]
_BASE = os.environ.get("BASE", "python:3.11-slim-bookworm")
_QUICK = (
    "--workers",
    2,
    "--stop-seconds",
    8,
    "--drain-seconds",
    15,
    "--refusal-seconds",
    60,
    "--peer-seconds",
    20,
)


def built(kind: str) -> str:
    """Build an image of tests/container/images; return its name."""
    if problem := engine_problem():
        pytest.skip(problem)
    name = f"sagemaker-emulator-test:{kind}"
    command = ["docker", "build", "--quiet", "--build-arg", f"BASE={_BASE}", "--tag", name]
    folder = Path(__file__).parent / "images" / kind
    ended = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return name


@pytest.fixture
def rehearse(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that rehearses an image, and returns the findings and the exit code."""
    return rehearsal(tmp_path / "findings.json")


def job(folder: Path, channel_file: str, text: str, **profile: object) -> Path:
    """Lay out a job whose channel is called training, as the SDK calls the only one; return its folder."""
    path = folder / "job" / "input" / "data" / "training" / channel_file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    rounds = {"hyperparameters": {"rounds": "8"}, "long_hyperparameters": {"rounds": "3000"}}
    (folder / "job" / "conformance.json").write_text(json.dumps({**rounds, **profile}))
    return folder / "job"


def test_an_image_that_brings_its_own_programs(tmp_path, rehearse):
    """nginx, gunicorn and scripts in /opt/program: SageMaker runs it; what it lacks costs, or is good practice."""
    rows = "".join(f"{'ab'[n % 2]},{n % 2 * 5 + n / 100},{n % 2 * -3 + n / 50}\n" for n in range(40))
    requests = {"payload.csv": "text/csv"}
    folder = job(tmp_path, "rows.csv", rows, payloads=requests, records=requests)
    (folder / "payload.csv").write_text("5,-3\n0,0\n4.5,-2.5\n0.2,0.1\n")
    result = rehearse(built("bring_your_own"), "--job", folder, "--hosts", 1, *_QUICK)
    # Whether a busy machine ends with every request answered is chance.
    assert with_outcome(result, "FAIL").keys() - {"serve.stop"} == {
        "stop.ends", "stop.saves", "spot.checkpoints", "batch.bad-record",
    }  # fmt: skip
    assert (result["worst"], result["exit code"]) == ("costs", 3)
    assert with_outcome(result, "WARN").keys() == {
        "train.encodings", "serve.ping-methods", "serve.garbage", "serve.writes", "serve.read-only-root",
        "serve.unknown-user", "clients.charset", "clients.csv-header", "clients.octet-stream", "clients.errors",
        "batch.line-ends",
    }  # fmt: skip
    assert not any(name.startswith("hosts.") for name in {row["check"] for row in result["checks"]})


def test_an_image_on_the_training_toolkit(tmp_path, rehearse):
    """Code in /opt/ml/code is where the toolkit wants it; two hosts that train by themselves lose no peer."""
    folder = job(tmp_path, "numbers.txt", "1\n2\n3\n6\n")
    result = rehearse(built("training_toolkit"), "--role", "train", "--job", folder, *_QUICK)
    assert with_outcome(result, "FAIL").keys() == {"stop.ends", "stop.saves"}
    assert with_outcome(result, "WARN") == {}
    assert with_outcome(result, "SKIP").keys() == {"hosts.lost-peer"}
    assert {"image.reserved-tree", "train.encodings", "train.failure-file", "spot.resumes"} <= with_outcome(
        result, "PASS"
    ).keys()
    assert (result["worst"], result["exit code"]) == ("costs", 3)


def test_an_image_on_the_inference_toolkit(tmp_path, rehearse):
    """It serves; that its server is healthy without a model is its own fault, and costs."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mean.json").write_text("3.0")
    (tmp_path / "one.json").write_text("[1, 2, 3]")
    (tmp_path / "records.csv").write_text("1\n2\n4\n")
    given = ("--role", "serve", "--model", tmp_path / "model", "--accept", "text/csv")
    files = (
        "--payload",
        f"application/json={tmp_path / 'one.json'}",
        "--records",
        f"text/csv={tmp_path / 'records.csv'}",
    )
    result = rehearse(built("inference_toolkit"), *given, *files, *_QUICK)
    found = with_outcome(result, "FAIL").keys()
    assert "serve.empty-model" in found
    assert "serve.broken-model" not in with_outcome(
        result, "PASS"
    )  # a busy machine may not see its end in time
    # Whether a busy machine parses 6 MB of CSV within a minute, and ends with every request answered, is chance.
    assert found <= {
        "serve.empty-model", "serve.broken-model", "serve.6mb", "serve.25mb", "serve.stop", "serve.ping-load",
        "batch.bad-record",
    }  # fmt: skip
    assert {"serve.starts", "serve.payloads", "batch.single-record", "batch.multi-record"} <= with_outcome(
        result, "PASS"
    ).keys()
    assert {row["check"].partition(".")[0] for row in result["checks"]} == {
        "image",
        "serve",
        "clients",
        "batch",
    }
    assert (result["worst"], result["exit code"]) == ("costs", 3)
