"""Checkpoints with pickled weights, and whether two checkpoints are the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer

LABELS = ("a", "b", "c")


def pickled(source: Path, folder: Path, change: Callable[[dict[str, Any]], Any] = dict) -> Path:
    """Copy a checkpoint with its state_dict pickled in the place of its safetensors, tied tensors shared."""
    model = transformers.AutoModelForMaskedLM.from_pretrained(source)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save(change(dict(model.state_dict())), folder / "pytorch_model.bin")
    return folder


def is_same(one: Path, other: Path) -> bool:
    """Whether classifiers on both encoders, with heads drawn from one seed, have the same bits in all tensors."""
    states = []
    for folder in (one, other):
        torch.manual_seed(1)
        states.append(load_pretrained(str(folder), LABELS, load_tokenizer(str(folder)), None).state_dict())
    ours, theirs = states
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
