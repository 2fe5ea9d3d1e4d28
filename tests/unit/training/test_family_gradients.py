"""The accumulated gradient of every family against float64, each text alone: no text may see another, nor padding."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.training.trainer import Trainer
from support.encoders import FAMILIES, make_encoder
from support.toy_trainer import make_trainer

# MRA computes in float32 whatever its weights are, and nothing at all without its CUDA kernel.
PROVED = sorted({*FAMILIES} - {"mra"})
_TABLE = 4160  # rows of the table of words: so many have sparse gradients
_WITHOUT_DROPOUT = {name: {"dropout": 0.0, "attention_dropout": 0.0} for name in ("flaubert", "xlm")}


def make_family_trainer(folder: Path, family: str) -> Trainer:
    """Return a trainer without dropout for a toy encoder of a family."""
    tokenizer = "bert" if family == "roformer" else None  # its own needs a segmenter of Chinese
    settings: dict[str, Any] = {
        "initializer_range": 0.05,
        "vocab_size": _TABLE,
        **_WITHOUT_DROPOUT.get(family, {}),
    }
    make_encoder(folder, family, tokenizer=tokenizer, **settings)
    return make_trainer(folder, rows=20, global_batch_size=12, dropout=0.0)


def gradient_text_by_text(trainer: Trainer, rows: np.ndarray) -> torch.Tensor:
    """Return the float64 gradient of the mean loss, each text alone in its pass."""
    model = copy.deepcopy(trainer.model).double().train()
    encoded, targets = trainer.train.encoded, torch.from_numpy(trainer.train.targets[rows])
    for row, target in zip(rows, targets, strict=True):
        ids = encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]].astype(np.int64)
        logits = model(input_ids=torch.from_numpy(ids)[None]).logits
        (functional.cross_entropy(logits, target[None]) / len(rows)).backward()
    return flat(model)


def flat(model: torch.nn.Module) -> torch.Tensor:
    """Return the gradient of all weights as one vector in float64."""
    return torch.cat([p.grad.to_dense().flatten().double() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("family", PROVED)
def test_the_gradient_of_a_batch_is_exact_however_it_is_cut(tmp_path, family):
    """From one text per micro-batch to all in one, with and without padding."""
    trainer = make_family_trainer(tmp_path, family)
    rows = trainer.order.batch(0)
    assert len({*trainer.train.encoded.lengths[rows]}) > 3
    reference = gradient_text_by_text(trainer, rows)
    for budget in (1, 200, 100_000):
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, 0)
        assert float((flat(trainer.model) - reference).norm() / reference.norm()) < 1e-6
