"""A small trainer over toy texts, for tests of the training half."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bert_classifier.config import TrainConfig
from bert_classifier.model import load_pretrained, load_tokenizer
from bert_classifier.tokenization import TextEncoder
from bert_classifier.training.batching import Split
from bert_classifier.training.distributed import World
from bert_classifier.training.trainer import Trainer
from fakes import CLASS_NAMES, make_pretrained, toy_rows

CLASSES = 3


def make_split(folder: Path, rows: int, seed: int = 0) -> Split:
    """Return `rows` toy texts, encoded with the tokenizer of a checkpoint folder."""
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, 64)
    labelled = toy_rows(rows, CLASSES, seed)
    targets = np.array([CLASS_NAMES.index(label) for label, _ in labelled], dtype=np.int64)
    return Split(encoder.encode_batch([text for _, text in labelled]), targets)


def make_trainer(
    folder: Path, *, rows: int = 20, architecture: str = "bert", world: World | None = None, **settings: Any
) -> Trainer:
    """Return a trainer for a tiny encoder; `settings` are hyperparameters, and `dropout=0.0` turns dropout off."""
    dropout = settings.pop("dropout", None)
    if not (folder / "config.json").exists():
        make_pretrained(folder, architecture)
    tokenizer = load_tokenizer(str(folder))
    torch.manual_seed(0)
    model = load_pretrained(str(folder), CLASS_NAMES[:CLASSES], tokenizer, 64)
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
    return Trainer(
        model,
        TrainConfig(**settings),
        make_split(folder, rows),
        make_split(folder, rows, seed=1),
        num_classes=CLASSES,
        pad_id=tokenizer.pad_token_id,
        device=torch.device("cpu"),
        world=world,
    )
