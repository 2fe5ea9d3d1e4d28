"""Checkpoint folders that training cannot start from: each is refused at once, with one clear sentence."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_folder import positions_of
from bert_classifier.modeling.positions import positions_of_model
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear

LABELS = ("Alpha", "Beta", "Gamma")
LENGTH = 64

Damage = Callable[[Path], Any]


def keep(*names: str) -> Damage:
    """Remove all files but these."""
    return lambda folder: [p.unlink() for p in folder.iterdir() if p.name not in names]


def remove(*names: str) -> Damage:
    """Remove these files."""
    return lambda folder: [(folder / name).unlink() for name in names]


def write(name: str, content: str | bytes) -> Damage:
    """Put this into a file."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(raw)


def cut(name: str, size: int) -> Damage:
    """Cut a file to this many bytes, as an interrupted copy does."""
    return lambda folder: os.truncate(folder / name, size)


def edit(name: str = "config.json", **changes: Any) -> Damage:
    """Change fields of a JSON file; None removes one."""

    def damage(folder: Path) -> None:
        fields = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({k: v for k, v in fields.items() if v is not None}))

    return damage


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Damage:
    """Change the tensors of the weights."""

    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def pickle_only(folder: Path) -> None:
    """Leave the weights as a pickle, as older checkpoints have them."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def index_without_shards(folder: Path) -> None:
    """Leave the index of weights in several files, but none of these."""
    (folder / "model.safetensors").unlink()
    index = {
        "metadata": {},
        "weight_map": {"embeddings.word_embeddings.weight": "model-00001-of-00002.safetensors"},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def index_of_nothing(folder: Path) -> None:
    """Leave an index that names no file."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")


def dangling_link(folder: Path) -> None:
    """Make the weights a link to nowhere, as a copied hub cache has them."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../blobs/4d7a")


QUERY = "encoder.layer.1.attention.self.query.weight"
LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2c\nsize 440449768\n"

BAD_FOLDERS: dict[str, tuple[Damage, str]] = {
    "empty": (keep(), r"has no config\.json"),
    "config only": (keep("config.json"), r"has no model\.safetensors"),
    "no weights": (remove("model.safetensors"), r"has no model\.safetensors"),
    "pickled weights": (
        pickle_only,
        r"has no model\.safetensors, but pytorch_model\.bin\. .*make convert-model MODEL=folder",
    ),
    "dangling link": (dangling_link, r"model\.safetensors is a link to \.\./blobs/4d7a"),
    "index without shards": (
        index_without_shards,
        "is damaged: model-00001-of-00002.safetensors: No such file",
    ),
    "index of nothing": (
        index_of_nothing,
        r"is damaged: model\.safetensors\.index\.json: it names no weights",
    ),
    "no tokenizer": (remove("tokenizer.json", "tokenizer_config.json"), "no tokenizer with a vocabulary"),
    "broken tokenizer": (cut("tokenizer.json", 700), "The tokenizer in .* is unusable"),
    "config not JSON": (write("config.json", "{"), r"config\.json is not valid JSON: "),
    "config a list": (write("config.json", "[]"), r"config\.json holds a JSON list"),
    "config not UTF-8": (write("config.json", b"\xff\xfe{}"), r"config\.json is not valid JSON: .*utf-8"),
    "config very deep": (write("config.json", '{"a":' * 100_000), r"config\.json is not valid JSON: "),
    "no model type": (edit(model_type=None), r'has no model_type, .*Write "model_type": "bert" into it'),
    "no model type and no class": (
        edit(model_type=None, architectures=None),
        r"names no known model_type \('null'\)",
    ),
    "model type in other letters": (edit(model_type="BERT"), 'model_type=.*"model_type": "bert" into it'),
    "unknown model type": (
        edit(model_type="nonesuch"),
        "is of type nonesuch, which is not a text encoder known here",
    ),
    "model type a list": (edit(model_type=["bert"]), 'Write "model_type": "bert" into it'),
    "code of its own": (
        edit(model_type="neobert", auto_map={"AutoModel": "evil.Model"}),
        "asks to run code .*auto_map.*its type neobert",
    ),
    "images": (edit(model_type="vit"), "is of type vit, which is not a text encoder"),
    "decoder": (edit(model_type="gpt2"), "is of type gpt2, which is not a text encoder"),
    "encoder and decoder": (edit(model_type="bart"), "is of type bart, which is not a text encoder"),
    "odd heads": (edit(num_attention_heads=5), "num_attention_heads=5, which does not divide hidden_size=32"),
    "field of another type": (edit(hidden_size="x"), 'hidden_size="x", which is not a whole number'),
    "giant": (edit(hidden_size=1_000_000), "they have 32 numbers per token, and it says hidden_size=1000000"),
    "truncated weights": (
        cut("model.safetensors", 30_000),
        r"is damaged: .* it has 30000 bytes instead of \d+",
    ),
    "truncated header": (
        cut("model.safetensors", 3000),
        "is damaged: .* its 3000 bytes are not valid safetensors",
    ),
    "empty weights": (cut("model.safetensors", 0), "The model in .* is damaged"),
    "last byte missing": (
        lambda folder: os.truncate(
            folder / "model.safetensors", (folder / "model.safetensors").stat().st_size - 1
        ),
        "The model in .* is damaged",
    ),
    "LFS pointer": (write("model.safetensors", LFS_POINTER), r"model\.safetensors is a pointer of Git LFS"),
    "tensor missing": (
        tensors(lambda w: w.pop(QUERY)),
        rf"lack 1 of the encoder's tensors, such as bert\.{QUERY}\. ",
    ),
    "tensor of another shape": (
        tensors(lambda w: w.update({QUERY: torch.zeros(32, 16)})),
        rf"bert\.{QUERY} is 32 × 16 there, and has to be 32 × 32\. ",
    ),
    "other weights": (
        tensors(lambda w: (w.clear(), w.update(x=torch.ones(2)))),
        r"lack \d+ of the encoder's tensors, .*; they have others, such as x\.",
    ),
    "config of a larger model": (
        edit(num_hidden_layers=4),
        "they have 2 layers, and it says num_hidden_layers=4",
    ),
    "vocabulary too large": (edit(vocab_size=10), r"they have \d+ tokens, and it says vocab_size=10"),
    "too few positions": (edit(max_position_embeddings=32), "max_seq_length=64 is more than the 32 tokens"),
}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as training does."""
    quiet_transformers()


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_bad_folder_is_refused(pretrained, tmp_path, name):
    """Whatever is wrong with the folder, one sentence says it and one what to do; nothing is downloaded."""
    damage, expected = BAD_FOLDERS[name]
    folder = tmp_path / "model"
    shutil.copytree(pretrained, folder)
    damage(folder)
    with pytest.raises(UserError, match=expected) as caught:
        load_pretrained(str(folder), LABELS, load_tokenizer(str(folder)), LENGTH)
    assert_clear(caught.value)
    assert folder.name in caught.value.cause


def test_the_undamaged_folder_is_taken(pretrained, tmp_path):
    """The folder that the cases above damage is a good one, also with files that nobody asked for."""
    shutil.copytree(pretrained, tmp_path / "model")
    for name in ("pytorch_model.bin", "modeling.py", "README.md", "vocab.pkl"):
        (tmp_path / "model" / name).write_bytes(b"\x80\x04not opened")
    tokenizer = load_tokenizer(str(tmp_path / "model"))
    assert load_pretrained(str(tmp_path / "model"), LABELS, tokenizer, LENGTH).config.num_labels == 3


@pytest.mark.parametrize("source", ["./nowhere", "no/such/place", "/nowhere/at/all"])
def test_missing_folder_is_refused(source):
    """A missing path is reported as missing, with the remedy that needs no network."""
    with pytest.raises(UserError, match=f"There is no folder {source}.* `model` channel") as caught:
        load_tokenizer(source)
    assert_clear(caught.value)


def test_roberta_has_fewer_positions_than_its_table(tmp_path):
    """RoBERTa's positions start behind the padding id: a table of 514 takes 512 tokens."""
    from support.fakes import make_pretrained

    folder = str(make_pretrained(tmp_path, "roberta"))
    tokenizer = load_tokenizer(folder)
    assert load_pretrained(folder, LABELS, tokenizer, 512).config.max_position_embeddings == 514
    with pytest.raises(UserError, match="max_seq_length=513 is more than the 512 tokens"):
        load_pretrained(folder, LABELS, tokenizer, 513)


def test_the_models_own_table_decides_on_its_length():
    """The families' list, which serves without torch, would take off a padding row that this table does not have."""
    config = AutoConfig.for_model("roberta", num_hidden_layers=1, max_position_embeddings=514)
    config.pad_token_id = None
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    assert (positions_of_model(model), positions_of(config.to_dict())) == (514, 512)
