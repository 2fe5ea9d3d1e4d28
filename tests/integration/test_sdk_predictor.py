"""The real server under the SageMaker SDK's own Predictor: every serializer with every deserializer."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.fakes import CLASS_NAMES
from support.patience import PATIENCE_S
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

TESTS = Path(__file__).parents[1]
SDK_PYTHON = TESTS.parent / ".venv" / "host" / "bin" / "python"
NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'
TEXTS = ["apple river", 'an engine, a wheel, "and" more', "Über Brücken: violin"]
PAIRS = 23 * 17  # forms that hold texts × ways to read an answer
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the SDK was answered, and beside it what plain HTTP is: the best class, and all in fixed order."""
    if not SDK_PYTHON.exists():
        pytest.skip("the SDK is not installed: `make test` does that")
    folder = tmp_path_factory.mktemp("sdk")
    make_artifact(folder / "model", classes=8)
    (folder / "sdk.yaml").write_text(NO_TELEMETRY, encoding="utf-8")
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        answers = ask_as_the_sdk(process.port, folder)
        answers["best"] = json.loads(process.invoke(json.dumps(TEXTS))[1])
        body = {"inputs": TEXTS, "parameters": {"return_all_scores": True}}
        answers["all"] = json.loads(process.invoke(json.dumps(body))[1])
    return answers


def ask_as_the_sdk(port: int, folder: Path) -> dict[str, Any]:
    """Run the script in the SDK's environment and return what it printed."""
    environ = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "PATH": os.defpath,
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(folder / "sdk.yaml"),
    }
    command = [str(SDK_PYTHON), str(TESTS / "support" / "sdk_predictor.py"), str(port)]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stderr
    answers: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answers


def test_every_pair_holds_the_labels_and_scores_in_order(found):
    """The answer's media type is compared as a whole: with a charset behind it some would not know it."""
    best = [[answer["label"], answer["score"]] for answer in found["best"]]
    assert len({score for _, score in best}) == len(TEXTS)  # the order shows
    assert len({label for label, _ in best}) > 1
    assert len(found["pairs"]) == PAIRS
    wrong = {pair: got for pair, got in found["pairs"].items() if isinstance(got, list | str) and got != best}
    assert wrong == {}


def test_arrays_hold_the_probabilities_of_all_classes_in_the_models_order(found):
    """One row per text, the same columns in each: what a table or NumPy can be made of."""
    wanted = [[entry["score"] for entry in entries] for entries in found["all"]]
    labels = {tuple(entry["label"] for entry in entries) for entries in found["all"]}
    assert labels == {CLASS_NAMES}
    arrays = {pair: got["probabilities"] for pair, got in found["pairs"].items() if isinstance(got, dict)}
    assert len(arrays) >= 2 * 23
    for pair, rows in arrays.items():
        assert len(rows) == len(wanted), pair
        for row, wanted_row in zip(rows, wanted, strict=True):
            assert row == pytest.approx(wanted_row, abs=1e-5), pair


def test_a_record_that_cannot_be_classified_keeps_its_place(found):
    """In each form the others' answers stay in their rows."""
    assert len(found["places"]) == 6
    assert {name: places for name, places in found["places"].items() if places != [False, True, False]} == {}


@pytest.mark.parametrize(
    ("serializer", "media_type"),
    [
        ("Identity", "application/octet-stream"),
        ("Data", "file-path/raw-bytes"),
        ("LibSVM", "text/libsvm"),
        ("RecordIO", "application/x-recordio-protobuf"),
        ("SparseMatrix", "application/x-npz"),
        ("TorchTensor", "tensor/pt"),
    ],
)
def test_a_serializer_of_other_things_is_refused_by_its_type(found, serializer, media_type):
    """The caller reads which type was refused, and the headers to send."""
    said = found["refused"][serializer]
    assert said.startswith(f"{media_type}: "), said
    assert "(415)" in said
    assert media_type in said.partition(": ")[2]
    assert "application/json" in said
    assert "Content-Type" in said


@pytest.mark.parametrize(("serializer", "reason"), [("Numpy numbers", "strings"), ("Numpy pickle", "pickle")])
def test_an_array_without_strings_is_refused(found, serializer, reason):
    """Numbers are no texts, and a pickle runs code."""
    said = found["refused"][serializer]
    assert "(400)" in said
    assert reason in said


def test_an_endpoint_of_sagemaker_core_is_answered(found):
    """Version 3 of the SDK invokes endpoints with it."""
    assert found["endpoint"] == [[answer["label"], answer["score"]] for answer in found["best"]]
