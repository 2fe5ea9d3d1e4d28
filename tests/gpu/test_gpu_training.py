"""What only a GPU can show: the padding-free kernel, low precision, and running out of memory."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.proof import proof_texts, relative_difference
from bert_classifier.training.device import choose_device
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES, make_pretrained
from support.toy_trainer import evaluated, make_trainer


def trainer_on_gpu(folder: Path, architecture: str = "bert", **settings: Any) -> Trainer:
    """Return a trainer of a small encoder on the first GPU; heads of 16 numbers, as the kernel wants them."""
    if not folder.exists():
        make_pretrained(folder, architecture, hidden=64)
    settings = {"global_batch_size": 16, "num_train_epochs": 2, **settings}
    return make_trainer(folder, rows=64, device=choose_device(), **settings)


def gradient_of(trainer: Trainer, indices: np.ndarray) -> torch.Tensor:
    """Return the gradient of the mean loss over some training examples, as one vector."""
    trainer.accumulate_gradients(indices, 0)
    return as_vector([parameter.grad for parameter in trainer.model.parameters()], trainer.model)


def as_vector(gradients: Iterable[torch.Tensor | None], model: torch.nn.Module) -> torch.Tensor:
    """Return the gradients of a model's parameters as one vector; zeros where there is none."""
    given = zip(gradients, model.parameters(), strict=True)
    parts = [torch.zeros_like(weight) if part is None else part for part, weight in given]
    return torch.cat([part.float().flatten() for part in parts])


def test_auto_means_low_precision(tmp_path):
    """bf16 where the GPU computes in it, else fp16."""
    expected = "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
    assert trainer_on_gpu(tmp_path / "encoder").precision == expected


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_padding_training_is_the_same(tmp_path, architecture):
    """The padding-free way is taken, and its logits and gradients are those with padding, within bf16."""
    trainer = trainer_on_gpu(tmp_path / "encoder", architecture, precision="bf16", dropout=0.0)
    packed = trainer.forward
    assert isinstance(packed, PackedForward)
    padded = Forward(packed.model, packed.pad_id, packed.device, packed.precision)
    assert relative_difference(packed, padded, proof_texts(trainer.train.encoded)) < 0.02
    batch = trainer.order.batch(0)
    targets = torch.from_numpy(trainer.train.targets[batch]).to(packed.device)
    loss = torch.nn.functional.cross_entropy(padded(trainer.train.encoded, batch), targets)
    expected = torch.autograd.grad(loss, list(padded.model.parameters()), allow_unused=True)
    ours, theirs = gradient_of(trainer, batch), as_vector(expected, padded.model)
    # Rounding turns signs at DistilBERT's ReLU: 0.08 on a CPU in bf16; the other families have 0.02.
    assert float((ours - theirs).norm() / theirs.norm()) < 0.2


@pytest.mark.parametrize("precision", ["auto", "fp16", "fp32"])
def test_training_learns_in_every_precision(tmp_path, precision):
    """Toy texts are told apart after some epochs, with loss scaling where it is needed."""
    trainer = trainer_on_gpu(
        tmp_path / "encoder", precision=precision, num_train_epochs=30, learning_rate=2e-3
    )
    trainer.fit()
    assert evaluated(trainer, trainer.train).accuracy > 0.8


def test_out_of_memory_halves_the_micro_batches_and_keeps_the_gradient(tmp_path, caplog):
    """With memory capped, the step is repeated in smaller micro-batches; the gradient is the whole batch's."""
    trainer = trainer_on_gpu(
        tmp_path / "encoder", precision="fp32", dropout=0.0, max_tokens_per_micro_batch=100_000
    )
    indices = np.resize(np.arange(64), 16_384)
    torch.cuda.reset_peak_memory_stats()
    whole = gradient_of(trainer, indices)
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 0.7 * peak / total))
    caplog.set_level(logging.WARNING, logger="bert_classifier")
    try:
        again = gradient_of(trainer, indices)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.state.token_budget < 100_000
    assert "out of GPU memory" in caplog.text
    assert float((again - whole).norm() / whole.norm()) < 1e-4
