"""How far the accumulated gradient of a toy encoder is from float64, where each text is alone in its pass."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bert_classifier.training.trainer import Trainer
from support.encoders import FAMILIES, make_encoder
from support.toy_trainer import make_trainer

# MRA computes in float32 whatever its weights are.
HAVE_FLOAT64 = sorted({*FAMILIES} - {"mra"})
BOUND = 1e-6  # relative
_BUDGETS = (1, 200, 100_000)  # tokens: one text per micro-batch, several, all
_TABLE = 4160  # rows of the table of words: so many have sparse gradients
_WITHOUT_DROPOUT = {name: {"dropout": 0.0, "attention_dropout": 0.0} for name in ("flaubert", "xlm")}


def gradient_error(folder: Path, family: str) -> float:
    """Return the largest distance of a batch's gradient from float64, relative to it, over ways to cut the batch."""
    settings: dict[str, Any] = {
        "initializer_range": 0.05,
        "vocab_size": _TABLE,
        **_WITHOUT_DROPOUT.get(family, {}),
    }
    make_encoder(folder, family, **settings)
    trainer = make_trainer(folder, rows=20, global_batch_size=12, dropout=0.0)
    rows = trainer.order.batch(0)
    assert len({*trainer.train.encoded.lengths[rows]}) > 3
    reference = _gradient_text_by_text(trainer, rows)
    errors = []
    for budget in _BUDGETS:
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, 0)
        errors.append(float((_flat(trainer.model) - reference).norm() / reference.norm()))
    return max(errors)


def _gradient_text_by_text(trainer: Trainer, rows: np.ndarray) -> torch.Tensor:
    """Return the float64 gradient of the mean loss, each text alone in its pass."""
    model = copy.deepcopy(trainer.model).double().train()
    encoded, targets = trainer.train.encoded, torch.from_numpy(trainer.train.targets[rows])
    for row, target in zip(rows, targets, strict=True):
        ids = encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]].astype(np.int64)
        logits = model(input_ids=torch.from_numpy(ids)[None]).logits
        (functional.cross_entropy(logits, target[None]) / len(rows)).backward()
    return _flat(model)


def _flat(model: torch.nn.Module) -> torch.Tensor:
    """Return the gradient of all weights as one vector in float64."""
    return torch.cat([p.grad.to_dense().flatten().double() for p in model.parameters() if p.grad is not None])
