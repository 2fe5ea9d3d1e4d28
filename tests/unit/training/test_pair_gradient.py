"""The gradient of text pairs with token types: that of the whole batch in float64, however it is cut."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.trainer import Trainer
from support.encoders import make_encoder
from support.pair_rows import pair_rows
from support.toy_trainer import CLASSES, gradient_of, make_trainer


def _with_pairs(trainer: Trainer, folder: Path) -> Trainer:
    """Return a trainer of the same model on pairs in place of texts."""
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(
        tokenizer.backend_tokenizer, trainer.forward.pad_id, 32,
        pair_truncation="longest_first", has_token_types=True,
    )  # fmt: skip
    rows = pair_rows(len(trainer.train.targets))
    encoded = encoder.encode_batch([TextPair(first, second) for _, first, second in rows])
    train = dataclasses.replace(trainer.train, encoded=encoded)
    pad_id, device = trainer.forward.pad_id, torch.device("cpu")
    return Trainer(
        trainer.model, trainer.config, train, train, num_classes=CLASSES, pad_id=pad_id, device=device
    )


def _reference(trainer: Trainer, encoded: EncodedTexts, rows: np.ndarray) -> np.ndarray:
    """Return the float64 gradient, each pair alone in its pass."""
    model: Any = copy.deepcopy(trainer.model).double().train()
    assert encoded.seconds is not None
    for row in rows.tolist():
        ids = torch.from_numpy(encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]].astype(np.int64))[
            None
        ]
        types = (torch.arange(ids.shape[1]) >= int(encoded.seconds[row])).long()[None]
        target = torch.from_numpy(trainer.train.targets[row : row + 1])
        logits = model(input_ids=ids, token_type_ids=types).logits
        (functional.cross_entropy(logits, target) / len(rows)).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).numpy()


@pytest.mark.parametrize("family", ["bert", "electra", "convbert"])
def test_it_is_that_of_the_whole_batch_in_float64(tmp_path, family):
    """Packed and length by length, from one pair per micro-batch to all in one."""
    make_encoder(tmp_path, family, initializer_range=0.05)
    trainer = _with_pairs(make_trainer(tmp_path, rows=20, global_batch_size=12, dropout=0.0), tmp_path)
    rows = trainer.order.batch(0)
    reference = _reference(trainer, trainer.train.encoded, rows)
    for budget in (1, 100, 100_000):
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, 0)
        error = np.linalg.norm(gradient_of(trainer) - reference) / np.linalg.norm(reference)
        assert error < 1e-6
