"""A small trainer over toy texts, for tests of the training half."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.modeling.pretrained import freeze_encoder, load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.batching import Split
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.trainer import Trainer
from support.fakes import CLASS_NAMES, make_pretrained, toy_rows

CLASSES = 3
USUAL = TrainConfig(max_seq_length=64)
CPU = torch.device("cpu")


def make_split(folder: Path, rows: int, seed: int = 0, config: TrainConfig = USUAL) -> Split:
    """Return `rows` toy texts, encoded with the tokenizer of a checkpoint folder as a configuration says.

    With task=multi each has the labels of itself and of its neighbours, every fifth one none.
    """
    tokenizer = load_tokenizer(str(folder))
    encoder = TextEncoder(
        tokenizer.backend_tokenizer, tokenizer.pad_token_id, config.largest_seq_length, config.truncation,
        config.max_windows, config.window_overlap,
    )  # fmt: skip
    labelled = toy_rows(rows, CLASSES, seed)
    targets = np.array([CLASS_NAMES.index(label) for label, _ in labelled], dtype=np.int64)
    if config.task == Task.MULTI:
        targets = _label_sets(targets)
    return Split(encoder.encode_batch([text for _, text in labelled]), targets)


def _label_sets(targets: np.ndarray) -> np.ndarray:
    """Return uint8 (n, classes) of class indices (n,)."""
    sets = np.eye(CLASSES, dtype=np.uint8)[targets]
    sets[1:] |= sets[:-1]
    sets[::5] = 0
    return sets


def make_trainer(
    folder: Path,
    *,
    rows: int = 20,
    architecture: str = "bert",
    distributed: DistributedContext | None = None,
    device: torch.device = CPU,
    **settings: Any,
) -> Trainer:
    """Return a trainer for a tiny encoder; `settings` are hyperparameters, and `dropout=0.0` turns dropout off."""
    dropout = settings.pop("dropout", None)
    config = TrainConfig(**{"max_seq_length": USUAL.max_seq_length, **settings})
    if not (folder / "config.json").exists():
        make_pretrained(folder, architecture)
    tokenizer = load_tokenizer(str(folder))
    torch.manual_seed(0)
    task = Task.MULTI if config.task == Task.MULTI else Task.SINGLE
    model = load_pretrained(str(folder), CLASS_NAMES[:CLASSES], tokenizer, 64, task=task)
    if config.freeze_encoder:
        freeze_encoder(model)
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
    return Trainer(
        model,
        config,
        make_split(folder, rows, config=config),
        make_split(folder, rows, seed=1, config=config),
        num_classes=CLASSES,
        pad_id=tokenizer.pad_token_id,
        device=device,
        distributed=distributed,
    )


def evaluated(trainer: Trainer, split: Split) -> Evaluation:
    """Return the evaluation of texts with one label each."""
    result = trainer.evaluate(split)
    assert isinstance(result, Evaluation)
    return result


def gradient_of(trainer: Trainer) -> np.ndarray:
    """Return a copy of the gradient of all weights as one vector."""
    parts = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return torch.cat(parts).numpy().copy()


def spoil(trainer: Trainer) -> None:
    """Make the encoder's values NaN for texts with a word that the first training text lacks."""
    encoded = trainer.train.encoded
    word = int(np.setdiff1d(encoded.ids, encoded.ids[: encoded.offsets[1]])[0])
    trainer.model.get_parameter("bert.embeddings.word_embeddings.weight").data[word] = float("nan")
