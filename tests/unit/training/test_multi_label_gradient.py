"""With several labels per text, the accumulated gradient is the full batch's too: on ranks, in parts, weighted."""

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.encoding.micro_batches import pad
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.optimizer import balanced_label_weights
from bert_classifier.training.trainer import Trainer
from support.encoders import make_encoder
from support.fakes import ARCHITECTURES
from support.gloo_ranks import Raised, on_ranks
from support.toy_trainer import gradient_of, make_trainer

SETTINGS: dict[str, Any] = {"task": "multi", "rows": 20, "global_batch_size": 12}


def _reference(trainer: Trainer, rows: np.ndarray) -> np.ndarray:
    """Return the float64 gradient of the loss as transformers has it, with a weight for each text and label."""
    model = copy.deepcopy(trainer.model).double().train()
    input_ids, mask = pad(trainer.train.encoded, rows, trainer.forward.pad_id)
    targets = torch.from_numpy(trainer.train.targets[rows]).double()
    without, with_label = trainer.class_weights.double()
    weights = torch.where(targets == 1, with_label, without)
    logits = model(input_ids=input_ids, attention_mask=mask).logits
    loss = functional.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="sum")
    (loss / weights.sum()).backward()
    parts = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return torch.cat(parts).numpy()


def _error(trainer: Trainer, reference: np.ndarray) -> float:
    return float(np.linalg.norm(gradient_of(trainer) - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("step", [0, 1], ids=["full batch", "ragged last batch"])
def test_it_is_that_of_the_whole_batch_in_float64(
    tmp_path: Path, architecture: str, class_weights: str, step: int
) -> None:
    """From one text per micro-batch to all in one; without weights it is transformers' own loss."""
    trainer = make_trainer(
        tmp_path, architecture=architecture, class_weights=class_weights, dropout=0.0, **SETTINGS
    )
    rows = trainer.order.batch(step)
    reference = _reference(trainer, rows)
    for budget in (1, 64, 200, 100_000):
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, step)
        assert _error(trainer, reference) < 1e-6


def test_without_weights_it_is_the_loss_of_transformers(tmp_path: Path) -> None:
    """config.json says multi_label_classification, by which transformers chooses the same loss."""
    trainer = make_trainer(tmp_path, dropout=0.0, **SETTINGS)
    rows = trainer.order.batch(0)
    loss = trainer.accumulate_gradients(rows, 0).loss
    input_ids, mask = pad(trainer.train.encoded, rows, trainer.forward.pad_id)
    labels = torch.from_numpy(trainer.train.targets[rows]).float()
    with torch.no_grad():
        theirs = trainer.model(input_ids=input_ids, attention_mask=mask, labels=labels).loss
    assert loss == pytest.approx(float(theirs), rel=1e-6)


def test_windows_of_a_text_weigh_as_one(tmp_path: Path) -> None:
    """The mean of a text's windows counts, however many there are."""
    settings = {**SETTINGS, "truncation": "windows", "max_seq_length": 8, "class_weights": "balanced"}
    trainer = make_trainer(tmp_path, dropout=0.0, **settings)
    assert trainer.train.encoded.bounds is not None
    batch = trainer.engine.planner.plan(trainer.order.batch(0), 10_000, 1)._batch
    assert batch.shares.shape == batch.targets.shape == (len(batch.windows), 3)
    assert batch.shares.sum() == pytest.approx(1.0, abs=1e-6)
    losses = []
    for budget in (1, 100_000):
        trainer.state.token_budget = budget
        losses.append(trainer.accumulate_gradients(trainer.order.batch(0), 0).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_balanced_weights_are_those_of_each_label_by_itself() -> None:
    """Having a label and not having it count alike; a label that no text has or every text has weighs once."""
    targets = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]], dtype=np.uint8)
    weights = balanced_label_weights(targets).numpy()
    assert weights.tolist() == [[pytest.approx(4 / 6), 0.5, 0], [2, 0, 0.5]]


def _gradients(folder: Path, settings: dict[str, Any]) -> Callable[[DistributedContext], list[np.ndarray]]:
    def work(distributed: DistributedContext) -> list[np.ndarray]:
        trainer = make_trainer(folder, distributed=distributed, dropout=0.0, **settings)
        found = []
        for step in (0, 1):
            trainer.accumulate_gradients(trainer.order.batch(step), step)
            found.append(gradient_of(trainer))
        return found

    return work


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("reproducible", ["true", "false"])
def test_on_ranks_it_is_that_of_the_whole_batch(
    tmp_path: Path, class_weights: str, reproducible: str
) -> None:
    """On 2 and 4 ranks as in float64 on one, in both gradient modes, with a ragged batch."""
    settings = {**SETTINGS, "class_weights": class_weights, "reproducible": reproducible}
    one = make_trainer(tmp_path, dropout=0.0, **settings)
    references = [_reference(one, one.order.batch(step)) for step in (0, 1)]
    for size in (2, 4):
        for rank in on_ranks(size, _gradients(tmp_path, settings), tmp_path):
            assert not isinstance(rank, Raised), rank
            for ours, reference in zip(rank, references, strict=True):
                assert np.linalg.norm(ours - reference) / np.linalg.norm(reference) < 1e-6


def test_the_same_bits_on_any_number_of_ranks(tmp_path: Path) -> None:
    """Weights and scores of a whole training with 4 gradient groups."""
    make_encoder(tmp_path, "bert")

    def work(distributed: DistributedContext) -> tuple[str, float, float]:
        trainer = make_trainer(
            tmp_path, distributed=distributed, num_gradient_groups=4, num_train_epochs=2, **SETTINGS
        )
        trainer.fit()
        weights = b"".join(tensor.numpy().tobytes() for tensor in trainer.model.state_dict().values())
        result = trainer.evaluate(trainer.validation)
        return hashlib.sha256(weights).hexdigest(), result.score(None), result.loss

    (one,) = on_ranks(1, work, tmp_path)
    for size in (2, 4):
        assert on_ranks(size, work, tmp_path) == [one] * size
