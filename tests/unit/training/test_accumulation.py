"""The accumulated gradient is the full batch's gradient: the project's first promise."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.encoding.micro_batches import pad
from bert_classifier.training.optimizer import balanced_class_weights
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES, make_pretrained
from support.peak_memory import peak_growth
from support.toy_trainer import CLASSES, make_trainer

BATCH = 12
ROWS = 20  # so that the second batch of an epoch is ragged: 8 texts


def full_batch_gradient(trainer: Trainer, rows: np.ndarray) -> list[torch.Tensor]:
    """Return the float64 gradient of the weighted mean loss over one forward pass of the whole batch."""
    model = copy.deepcopy(trainer.model).double().train()
    input_ids, mask = pad(trainer.train.encoded, rows, trainer.forward.pad_id)
    targets = torch.from_numpy(trainer.train.targets[rows])
    weights = trainer.class_weights.double()
    logits = model(input_ids=input_ids, attention_mask=mask).logits
    per_text = functional.cross_entropy(logits, targets, reduction="none") * weights[targets]
    (per_text.sum() / weights[targets].sum()).backward()
    return [p.grad for p in model.parameters() if p.grad is not None]


def relative_error(trainer: Trainer, reference: list[torch.Tensor]) -> float:
    """Return the distance of the trainer's gradient from the reference, relative to the reference's length."""
    own = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    distance = sum(((a.double() - b) ** 2).sum() for a, b in zip(own, reference, strict=True))
    return float((distance / sum((b**2).sum() for b in reference)) ** 0.5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("step", [0, 1], ids=["full batch", "ragged last batch"])
def test_accumulated_gradient_is_the_full_batch_gradient(
    tmp_path: Path, architecture: str, class_weights: str, step: int
) -> None:
    """From one text a micro-batch to the whole batch in one, the gradient is that of the whole batch."""
    trainer = make_trainer(
        tmp_path,
        rows=ROWS,
        architecture=architecture,
        class_weights=class_weights,
        global_batch_size=BATCH,
        dropout=0.0,
    )
    rows = trainer.order.batch(step)
    assert len(rows) == (BATCH if step == 0 else ROWS - BATCH)
    reference = full_batch_gradient(trainer, rows)
    for budget in (1, 64, 200, 100_000):
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, step)
        assert relative_error(trainer, reference) < 2e-6  # by chance of the weights, 0.3 to 1.6 · 10⁻⁶


def test_rows_per_device_limit_micro_batches_but_not_the_gradient(tmp_path: Path) -> None:
    """per_device_batch_size 3 × 4 accumulation steps is a batch of 12 with the full-batch gradient."""
    trainer = make_trainer(
        tmp_path, rows=ROWS, per_device_batch_size=3, gradient_accumulation_steps=4, dropout=0.0
    )
    rows = trainer.order.batch(0)
    assert len(rows) == 12
    trainer.accumulate_gradients(rows, 0)
    assert relative_error(trainer, full_batch_gradient(trainer, rows)) < 1e-6


def test_loss_is_the_weighted_mean_over_the_batch(tmp_path: Path) -> None:
    """The reported loss does not depend on the cut either."""
    trainer = make_trainer(
        tmp_path, rows=ROWS, class_weights="balanced", global_batch_size=BATCH, dropout=0.0
    )
    rows = trainer.order.batch(0)
    losses = []
    for budget in (1, 100_000):
        trainer.state.token_budget = budget
        losses.append(trainer.accumulate_gradients(rows, 0).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_frozen_encoder_gets_no_gradient(tmp_path: Path) -> None:
    """With freeze_encoder only the head learns, and it does learn."""
    from bert_classifier.modeling.pretrained import freeze_encoder

    trainer = make_trainer(tmp_path, global_batch_size=BATCH)
    freeze_encoder(trainer.model)  # type: ignore[arg-type]
    trainer.accumulate_gradients(trainer.order.batch(0), 0)
    learning = {name for name, p in trainer.model.named_parameters() if p.grad is not None}
    assert learning == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }


def test_balanced_class_weights_make_every_class_count_alike() -> None:
    """Σ of the weights over the texts of each class that occurs is the same; a class without texts weighs 0."""
    targets = np.array([0, 0, 0, 0, 2, 2])
    weights = balanced_class_weights(targets, CLASSES).numpy()
    assert weights[1] == 0
    assert weights[0] * 4 == pytest.approx(weights[2] * 2) == pytest.approx(3.0)


def test_memory_does_not_grow_with_the_number_of_gradient_groups(tmp_path: Path) -> None:
    """Each group's gradient goes into the sum as it comes: two are there at a time, not one for each group."""
    make_pretrained(tmp_path, hidden=256, layers=4)
    trainer = make_trainer(tmp_path, rows=48, global_batch_size=48, max_tokens_per_micro_batch=64)
    gradient = sum(p.numel() * p.element_size() for p in trainer.model.parameters())
    rows = trainer.order.batch(0)
    peaks = {}
    for gradient_groups in (2, 24):
        trainer.state.num_gradient_groups = gradient_groups
        trainer.accumulate_gradients(rows, 0)  # so that what is filled once is filled
        trainer.model.zero_grad(set_to_none=True)
        peaks[gradient_groups] = peak_growth(lambda: trainer.accumulate_gradients(rows, 0))
    assert peaks[24] < peaks[2] + gradient
