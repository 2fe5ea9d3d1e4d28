"""What only a GPU can show: the padding-free kernel, low precision, and running out of memory."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward, relative_difference
from bert_classifier.modeling.pretrained import load_pretrained, load_tokenizer
from bert_classifier.training.device import choose_device
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES, CLASS_NAMES, make_pretrained
from support.toy_trainer import CLASSES, make_split


def trainer_on_gpu(folder: Path, architecture: str = "bert", **settings: Any) -> Trainer:
    """Return a trainer of a small encoder on the first GPU; heads of 16 numbers, as the kernel wants them."""
    make_pretrained(folder, architecture, hidden=64)
    tokenizer = load_tokenizer(str(folder))
    torch.manual_seed(0)
    return Trainer(
        load_pretrained(str(folder), CLASS_NAMES[:CLASSES], tokenizer, 64),
        TrainConfig(**{"global_batch_size": 16, "num_train_epochs": 2, **settings}),
        make_split(folder, 64),
        make_split(folder, 32, seed=1),
        num_classes=CLASSES,
        pad_id=tokenizer.pad_token_id,
        device=choose_device(),
    )


def test_auto_means_low_precision(tmp_path):
    """bf16 where the GPU computes in it, else fp16."""
    expected = "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
    assert trainer_on_gpu(tmp_path).precision == expected


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0), reason="this GPU has no bf16"
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_padding_training_is_the_same(tmp_path, architecture):
    """The padding-free way is taken, and its logits and gradients are those with padding, within bf16."""
    trainer = trainer_on_gpu(tmp_path, architecture, precision="bf16")
    assert isinstance(trainer.forward, PackedForward)
    padded = Forward(trainer.model, trainer.forward.pad_id, trainer.device, "bf16")
    assert relative_difference(trainer.forward, padded, trainer.train.encoded) < 0.02
    for module in trainer.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    gradients = []
    for way in (trainer.forward, padded):
        trainer.engine.planner.forward = way
        trainer.accumulate_gradients(trainer.order.batch(0), 0)
        gradients.append(
            torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
        )
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 0.05


@pytest.mark.parametrize("precision", ["auto", "fp16", "fp32"])
def test_training_learns_in_every_precision(tmp_path, precision):
    """Toy texts are told apart after some epochs, with loss scaling where it is needed."""
    trainer = trainer_on_gpu(tmp_path, precision=precision, num_train_epochs=30, learning_rate=2e-3)
    trainer.fit()
    assert trainer.evaluate(trainer.train).accuracy > 0.8


def test_out_of_memory_halves_the_micro_batches_and_keeps_the_gradient(tmp_path, caplog):
    """With memory capped, the step is repeated in smaller micro-batches; the gradient is the whole batch's."""
    trainer = trainer_on_gpu(tmp_path, precision="fp32", max_tokens_per_micro_batch=100_000)
    for module in trainer.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rows = np.resize(np.arange(64), 16_384)
    trainer.accumulate_gradients(rows, 0)
    whole = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 0.7 * peak / total))
    caplog.set_level(logging.WARNING, logger="bert_classifier")
    try:
        trainer.accumulate_gradients(rows, 0)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.state.token_budget < 100_000
    assert "out of GPU memory" in caplog.text
    again = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    assert float((again - whole).norm() / whole.norm()) < 1e-4
