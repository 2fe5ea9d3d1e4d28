"""What the parts work with: labelled texts of real lengths, a tokenizer, a BERT-base of random weights."""

import csv
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.gpu import project

SAMPLE_TEXTS = 12_288  # 12 batches of 1,024


@dataclasses.dataclass(frozen=True)
class Material:
    """The inputs of all parts.

    Attributes:
        train: a labelled file.
        test: the same, or None.
        model: folder of an encoder that the whole program trains; None = BERT-base of random weights.
        tokenizer_folder: folder of an encoder whose tokenizer is used.
        output: folder that the record goes to.
        texts: number of texts of the epoch.
    """

    train: Path
    test: Path | None
    model: Path | None
    tokenizer_folder: Path
    output: Path
    texts: int

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return project.load_tokenizer(self.tokenizer_folder)

    @functools.cached_property
    def data(self) -> tuple[Sequence[str], np.ndarray, Sequence[str]]:
        """All texts of the file, their class indices, and the classes' names."""
        return project.read_data(self.train)

    def split(self, count: int = SAMPLE_TEXTS) -> Any:
        """Return the first texts of the file, encoded, with their classes."""
        texts, targets, _ = self.data
        return project.encode(self.tokenizer, [texts[index] for index in range(count)], targets[:count])

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.data[2])

    def trainer(self, split: Any, **settings: Any) -> Any:
        """Return the project's trainer of a BERT-base."""
        return project.make_trainer(self.bert_base(), self.tokenizer, split, self.classes, **settings)

    def bert_base(self) -> Any:
        """Return a BERT-base classifier with the same random weights each time; no attention dropout, as we train."""
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(self.tokenizer),
            pad_token_id=self.tokenizer.pad_token_id,
            attention_probs_dropout_prob=0.0,
        )
        config.num_labels = self.classes
        config.id2label = dict(enumerate(self.data[2]))
        config.label2id = {label: index for index, label in config.id2label.items()}
        with project.DEVICE:
            return BertForSequenceClassification(config)


def write_sample(train: Path, path: Path) -> Path:
    """Write texts drawn from a labelled file, each at most once more often than another, and return the path.

    Raises:
        UserError: when the file cannot be read as training data.
    """
    texts, targets, labels = project.read_data(train)
    draw, count = np.random.default_rng(0), len(texts)
    rows = np.concatenate([draw.permutation(count) for _ in range(-(-SAMPLE_TEXTS // count))])[:SAMPLE_TEXTS]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, texts, [labels[index] for index in targets], rows)
    return path


def write_rows(path: Path, texts: Sequence[str], labels: Sequence[str], rows: np.ndarray) -> None:
    """Write a CSV with columns label and text that holds these rows, in their order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows((labels[row], texts[row]) for row in rows.tolist())


def is_bert_base(config: Any) -> bool:
    """Return whether a model's configuration has the shape of BERT-base."""
    shape = [
        getattr(config, name, None) for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
    ]
    return shape == [12, 768, 3072]
