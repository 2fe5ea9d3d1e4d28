"""The recipe benchmark on made-up texts and a tiny encoder: its programs run, and a broken-off one goes on."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tiny_job
from support.patience import PATIENCE_S
from support.source_tree import ROOT
from support.train_process import one_core

pytestmark = pytest.mark.slow

ROWS = [
    (label, f"{word} number {number}")
    for number in range(30)
    for label, word in (("a", "red"), ("b", "blue"))
]


def lay_out(folder: Path) -> list[str]:
    """Write an encoder and a data set; return the benchmark's options for them."""
    encoder, rows = folder / "encoder", folder / "rows.csv"
    tiny_job.save_encoder(encoder, ["red", "blue", "number", *"0123456789"])
    with rows.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("label", "text"), *ROWS])
    return [
        *("--encoder", str(encoder), "--results", str(folder / "results.jsonl")),
        *("--data", "toy", str(rows), str(rows), "20", "--sizes", "8", "--seeds", "0"),
    ]


def benchmark(*options: str) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark to its end."""
    variables = {"PYTHONPATH": f"{ROOT}/container:{ROOT}/tests", "PATH": "/usr/bin:/bin"}
    program = [sys.executable, str(ROOT / "tests" / "benchmarks" / "recipe.py")]
    with one_core():
        return subprocess.run(
            [*program, *options],
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


def test_each_contender_answers_and_a_failed_one_is_run_again(tmp_path) -> None:
    """A setting that no job accepts fails; the same command without it repeats no run."""
    options = lay_out(tmp_path)
    contenders = ["--contenders", "frozen", "trainer", "grid", "--grid", "max_seq_length=32"]
    failed = benchmark(*options, *contenders, "no_such_setting=1")
    assert failed.returncode == 1
    assert "FAILED: exit status 2" in failed.stderr
    written = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["contender"] for line in written] == ["frozen", "trainer"]
    done = benchmark(*options, *contenders, "steps=5", "learning_rate=0.001")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith('toy 8 seed 0 grid {"learning_rate": 0.001, "max_seq_length": 32, "steps": 5}: ')
    assert "| encoder | data | rows per class | grid | trainer | frozen |" in done.stdout
    result = json.loads((tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert result["steps"] == 6  # 16 rows in batches of 8, at least 3 epochs
