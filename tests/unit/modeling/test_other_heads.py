"""Heads that a checkpoint's config.json describes wrongly, or that are for other things than classes of texts."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bert_classifier.errors import UserError
from bert_classifier.modeling.heads import loaded_head
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder

CLASSES = ("sports", "world")


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as training does."""
    quiet_transformers()


def checkpoint(folder: Path, **fields: Any) -> Path:
    """Make a classifier of two classes, and change fields of its config.json."""
    names = dict(enumerate(CLASSES))
    make_encoder(
        folder,
        "bert",
        head="classifier",
        id2label=names,
        label2id={v: k for k, v in names.items()},
        num_labels=2,
    )
    config = {**json.loads((folder / "config.json").read_text()), **fields}
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return folder


def load(folder: Path, labels: Any, keep: str = "auto") -> Any:
    """Load it as a job does."""
    return load_pretrained(str(folder), labels, load_tokenizer(str(folder)), None, keep_head=keep)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("TokenClassification", "token classification"),
        ("QuestionAnswering", "question answering"),
        ("MultipleChoice", "multiple choice"),
        ("NextSentencePrediction", "next sentence prediction"),
    ],
)
def test_a_head_for_something_else_is_never_kept(tmp_path: Path, kind: str, expected: str) -> None:
    """Even where its tensors have the names and the shapes of a text head."""
    folder = checkpoint(tmp_path / "model", architectures=[f"BertFor{kind}"])
    for labels in (None, CLASSES):
        with pytest.raises(UserError, match=f"{expected}.*architectures of its config.json") as caught:
            load(folder, labels, "true")
        assert_clear(caught.value)
    torch.manual_seed(1)
    model = load(folder, CLASSES)
    assert loaded_head(model).became == "replaced"
    assert expected in loaded_head(model).sentence
    assert not torch.equal(
        model.classifier.weight, load_file(folder / "model.safetensors")["classifier.weight"]
    )


def test_names_of_classes_that_contradict_each_other_are_refused_for_a_kept_head(tmp_path: Path) -> None:
    """Which of the two the weights follow, nobody knows; a new head needs neither."""
    folder = checkpoint(tmp_path / "model", label2id={"sports": 1, "world": 0})
    for labels in (None, CLASSES):
        with pytest.raises(
            UserError, match="'sports' is class 0 in id2label and class 1 in label2id"
        ) as caught:
            load(folder, labels, "true")
        assert_clear(caught.value)
    assert loaded_head(load(folder, CLASSES)).became == "replaced"


def test_classes_under_other_names_do_not_contradict(tmp_path: Path) -> None:
    """Many checkpoints have names in one of the two alone."""
    folder = checkpoint(tmp_path / "model", label2id={"LABEL_0": 0, "LABEL_1": 1})
    assert loaded_head(load(folder, CLASSES, "true")).became == "kept"


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("a", "b")])
def test_the_log_says_how_many_classes_the_weights_have(tmp_path: Path, labels: Any) -> None:
    """Whatever config.json says, and however many classes the data have."""
    folder = checkpoint(tmp_path / "model", id2label={"0": "x", "1": "y", "2": "z"}, label2id=None)
    said = loaded_head(load(folder, labels)).sentence
    assert "(2 classes by its weights, though its config.json speaks of 3 classes: x, y, z)" in said
    right = checkpoint(tmp_path / "right")
    assert "(2 classes: sports, world)" in loaded_head(load(right, labels)).sentence
