"""local_test/evaluate.sh refuses what it could not read, and places where its reports would do harm."""

import subprocess
from pathlib import Path

import pytest

from support.patience import PATIENCE_S

SCRIPT = Path(__file__).parents[3] / "local_test" / "evaluate.sh"


@pytest.mark.parametrize(
    ("data", "output", "message"),
    [
        ("s3://bucket/test.csv", "", "DATA=s3://bucket/test.csv is an address, and a local run reads files"),
        ("model", "", "DATA=model is a folder: name one file"),
        ("a.csv none.csv", "", "DATA=a.csv none.csv names several files, and evaluate reads one"),
        ("none.csv", "", "There is no file 'none.csv'"),
        ("a.csv", "a.csv", "OUTPUT=a.csv is a file: name a folder."),
        ("a.csv", "model", "OUTPUT=model is in the model folder"),
        ("a.csv", "model/new/reports", "OUTPUT=model/new/reports is in the model folder"),
        ("a.csv", "other/../model", "OUTPUT=other/../model is in the model folder"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(tmp_path: Path, data: str, output: str, message: str) -> None:
    """One sentence, exit code 2, and nothing is made."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    (tmp_path / "a.csv").touch()
    before = sorted(tmp_path.rglob("*"))
    command = ["bash", str(SCRIPT), "model", data, output]
    environ = {"PATH": "/usr/bin:/bin", "ENGINE": "process"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
