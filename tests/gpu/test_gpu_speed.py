"""What only a GPU can show: the speed that the project aims at, for BERT-base on texts of real lengths."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "local_test" / "test_dir" / "input" / "data"

pytestmark = pytest.mark.usefixtures("bf16")


def benchmark(tmp_path: Path, batch: int, steps: int, *contenders: str) -> dict[str, list[float]]:
    """Return the numbers of each contender of the training benchmark: texts/s, tokens/s, % padding, % of the peak."""
    data = tmp_path / "train.csv"
    data.write_text((SAMPLE / "train" / "train.csv").read_text(encoding="utf-8") * 20, encoding="utf-8")
    arguments = ["--data", str(data), "--encoders", "base", "--batch", str(batch)]
    arguments += ["--rounds", "2", "--steps", str(steps), "--contenders", *contenders]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "benchmarks" / "training_speed.py"), *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'container'}:{ROOT / 'tests'}", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = [line.strip("|").split("|") for line in ended.stdout.splitlines() if line.count("|") == 8]
    return {row[0].strip(): [float(n) for n in re.findall(r"[\d.]+", " ".join(row[1:]))] for row in rows[2:]}


def test_twice_as_fast_as_the_usual_trainer(tmp_path):
    """In batches of 32: at least two texts for one of transformers' Trainer."""
    rows = benchmark(tmp_path, 32, 30, "ours", "trainer")
    assert rows["this project"][0] >= 2 * rows["transformers Trainer"][0]


def test_near_the_peak_in_large_batches(tmp_path):
    """In batches of 512: at least 45 % of the measured bf16 peak of matrix products."""
    rows = benchmark(tmp_path, 512, 8, "ours")
    assert rows["this project"][3] >= 45
