"""The real server under the SageMaker SDK's own Predictor: every serializer with every deserializer."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

TESTS = Path(__file__).parents[1]
SDK_PYTHON = TESTS.parent / ".venv" / "host" / "bin" / "python"
NO_TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'
PAIRS = 30


@pytest.mark.slow
def test_every_pair_of_serializer_and_deserializer_works(tmp_path):
    """They compare the answer's media type as a whole, so a charset behind it would be an unknown type to some."""
    if not SDK_PYTHON.exists():
        pytest.skip("the SDK is not installed: `make test` does that")
    make_artifact(tmp_path / "model")
    (tmp_path / "sdk.yaml").write_text(NO_TELEMETRY, encoding="utf-8")
    environ = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.defpath,
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(tmp_path / "sdk.yaml"),
    }
    with ServingProcess(tmp_path, tmp_path / "log") as process:
        process.wait_until_ready()
        command = [str(SDK_PYTHON), str(TESTS / "support" / "sdk_predictor.py"), str(process.port)]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
        texts = ["apple river", "an engine, a wheel"]
        wanted = json.loads(process.invoke(json.dumps(texts))[1])
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert len(found) == PAIRS
    for pair, output in found.items():
        assert not output.startswith("failed: "), f"{pair}: {output}"
        assert all(str(answer["score"]) in output for answer in wanted), f"{pair}: {output}"
