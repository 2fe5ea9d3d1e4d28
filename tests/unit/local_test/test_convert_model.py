"""make convert-model: pickled checkpoints become safetensors, tensor by tensor; hostile ones are not opened."""

import collections
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import convert_model
from bert_classifier.errors import UserError
from bert_classifier.job.encoder_folder import check_folder
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from convert_model import convert
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.pickled import LABELS, is_same, pickled
from support.source_tree import ROOT

SENTENCEPIECE = ROOT / "tests" / "unit" / "modeling" / "sentencepiece_models"


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as the command does."""
    quiet_transformers()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny BERT with its head for masked words, in safetensors."""
    return make_encoder(tmp_path_factory.mktemp("encoder") / "bert", "bert")


def digests(folder: Path) -> dict[str, str]:
    """Return what a folder holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    "family", ["bert", "deberta-v2", "distilbert", "electra", "modernbert", "xlm-roberta"]
)
def test_the_converted_checkpoint_is_the_same(tmp_path: Path, family: str) -> None:
    """Tensor by tensor that of the one in safetensors; the source stays as it was, tied tensors are written once."""
    source = make_encoder(tmp_path / "source", family)
    folder = pickled(source, tmp_path / "folder")
    before = digests(folder)
    with pytest.raises(UserError, match="make convert-model"):
        check_folder(str(folder))
    said = convert(folder, None)
    written = tmp_path / "folder-safetensors"
    assert f"Train with MODEL={written}" in said
    assert digests(folder) == before
    check_folder(str(written))
    assert is_same(written, source)
    assert {"config.json", "tokenizer.json"} <= {path.name for path in written.iterdir()}
    assert not list(tmp_path.glob(".convert-*"))


def test_names_of_old_and_types_are_kept(bert: Path, tmp_path: Path) -> None:
    """TensorFlow's gamma and beta are read by the loader; float16 stays, and training computes in copies of float32."""

    def old(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        names = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
        return {
            new.replace(*names[0]).replace(*names[1]): value.half() if value.is_floating_point() else value
            for new, value in state.items()
        }

    folder = pickled(bert, tmp_path / "folder", old)
    convert(folder, tmp_path / "to")
    written = load_file(tmp_path / "to" / "model.safetensors")
    assert written["bert.embeddings.LayerNorm.gamma"].dtype is torch.float16
    model: Any = load_pretrained(str(tmp_path / "to"), LABELS, load_tokenizer(str(tmp_path / "to")), None)
    norm = model.base_model.embeddings.LayerNorm.weight
    assert norm.dtype is torch.float32
    assert torch.equal(norm, written["bert.embeddings.LayerNorm.gamma"].float())


def test_shared_memory_is_written_once_or_apart(bert: Path, tmp_path: Path) -> None:
    """The same tensor under a second name is left out, with a note in the file; overlapping parts are copied."""

    def shared(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        table = state["bert.embeddings.word_embeddings.weight"]
        return {**state, "cls.predictions.decoder.weight": table, "a.part": table[3:5], "turned": table.T}

    folder = pickled(bert, tmp_path / "folder", shared)
    assert "for the same ones" in convert(folder, tmp_path / "to")
    written = load_file(tmp_path / "to" / "model.safetensors")
    table = written["bert.embeddings.word_embeddings.weight"]
    assert "cls.predictions.decoder.weight" not in written
    assert torch.equal(written["a.part"], table[3:5])
    assert torch.equal(written["turned"], table.T)


def test_several_files_become_one(bert: Path, tmp_path: Path) -> None:
    """Those that the index names; one that is missing is named."""
    folder = pickled(bert, tmp_path / "folder")
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    (folder / "pytorch_model.bin").unlink()
    names = list(state)
    shards = {"pytorch_model-00001-of-00002.bin": names[:9], "pytorch_model-00002-of-00002.bin": names[9:]}
    for shard, own in shards.items():
        torch.save({name: state[name] for name in own}, folder / shard)
    table = {name: shard for shard, own in shards.items() for name in own}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))
    convert(folder, tmp_path / "to")
    assert is_same(tmp_path / "to", bert)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(UserError, match=r"pytorch_model-00002-of-00002\.bin: No such file"):
        convert(folder, tmp_path / "again")


@pytest.mark.parametrize(
    ("family", "file", "cls"),
    [
        ("xlm-roberta", "sentencepiece.bpe.model", "XLMRobertaTokenizer"),
        ("deberta-v2", "spm.model", "DebertaV2Tokenizer"),
    ],
)
def test_a_sentencepiece_model_becomes_tokenizer_json(
    tmp_path: Path, family: str, file: str, cls: str
) -> None:
    """As the hub has many of these families, a .bin and a SentencePiece model: the ids are those of a job."""
    source = make_encoder(tmp_path / "source", family, vocab_size=2048)
    folder = pickled(source, tmp_path / "folder")
    for path in folder.iterdir():
        if path.name not in ("config.json", "pytorch_model.bin"):
            path.unlink()
    shutil.copyfile(SENTENCEPIECE / f"{family}.model", folder / file)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": cls}))
    assert "tokenizer.json made of the tokenizer's other files" in convert(folder, tmp_path / "to")
    shutil.copyfile(source / "model.safetensors", folder / "model.safetensors")
    by_job, converted = (load_tokenizer(str(place)) for place in (folder, tmp_path / "to"))
    texts = ["Hello, world!", "  zwei  Wörter ", "中文 12345 🙂", "e\u0301t\u00e9"]
    assert by_job(texts)["input_ids"] == converted(texts)["input_ids"]
    assert (tmp_path / "to" / "tokenizer.json").is_file()


def test_files_of_before_torch_1_6_are_read(bert: Path, tmp_path: Path) -> None:
    """They are bare pickles, not archives of tensors."""
    folder = pickled(bert, tmp_path / "folder")
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    convert(folder, tmp_path / "to")
    assert is_same(tmp_path / "to", bert)


class Trap:
    """Leaves a file behind when an ordinary unpickler opens it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._place),)


def write(content: bytes) -> Callable[[Path], Any]:
    """Replace the weights."""
    return lambda folder: (folder / "pytorch_model.bin").write_bytes(content)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a trap": (
        lambda folder: torch.save({"x": Trap(folder / "sprung")}, folder / "pytorch_model.bin"),
        r"holds more than tensors, and is not opened: posix\.mkdir",
    ),
    "a bare trap": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder / "sprung"))),
        "not opened|is damaged",
    ),
    "a whole model": (
        lambda folder: torch.save(torch.nn.Linear(2, 2), folder / "pytorch_model.bin"),
        r"holds more than tensors, and is not opened: torch\.nn\.modules\.linear\.Linear",
    ),
    "a tensor alone": (
        lambda f: torch.save(torch.ones(2), f / "pytorch_model.bin"),
        "is no table of tensors",
    ),
    "no tensors": (lambda f: torch.save({"epoch": 3}, f / "pytorch_model.bin"), "holds no tensors by name"),
    "a sparse one": (
        lambda f: torch.save({"x": torch.eye(3).to_sparse()}, f / "pytorch_model.bin"),
        "x is sparse or quantised",
    ),
    "cut": (
        lambda folder: os.truncate(folder / "pytorch_model.bin", 20_000),
        "is damaged: pytorch_model.bin",
    ),
    "empty": (write(b""), "is damaged: pytorch_model.bin"),
    "Git LFS": (write(b"version https://git-lfs.github.com/spec/v1\n"), "is a pointer of Git LFS"),
    "no weights": (lambda folder: (folder / "pytorch_model.bin").unlink(), r"has no model\.safetensors"),
    "GPT-2": (lambda f: (f / "config.json").write_text('{"model_type": "gpt2"}'), "is of type gpt2"),
    "other weights": (
        lambda folder: torch.save({"x": torch.ones(2)}, folder / "pytorch_model.bin"),
        r"lack \d+ of the encoder's tensors",
    ),
    "no tokenizer": (
        lambda folder: [
            p.unlink() for p in folder.iterdir() if p.name not in ("config.json", "pytorch_model.bin")
        ],
        "no tokenizer with a vocabulary",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_converted_is_refused(bert: Path, tmp_path: Path, name: str) -> None:
    """In one sentence about the folder that was given, with nothing run and nothing left behind."""
    damage, expected = BAD[name]
    folder = pickled(bert, tmp_path / "folder")
    damage(folder)
    with pytest.raises(UserError, match=expected) as caught:
        convert(folder, tmp_path / "to")
    assert_clear(caught.value)
    assert str(folder) in caught.value.cause
    assert ".convert-" not in str(caught.value)
    assert not (folder / "sprung").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_nothing_is_overwritten(bert: Path, tmp_path: Path) -> None:
    """Neither a folder with content nor the source; what needs no conversion is left alone."""
    folder = pickled(bert, tmp_path / "folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "empty").mkdir()
    for target, what in (
        ("full", "is there already"),
        ("folder/new", "is in the folder to convert"),
        ("no/new", "no"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            convert(folder, tmp_path / target)
        assert_clear(caught.value)
    convert(folder, tmp_path / "empty")
    assert "needs no conversion" in convert(tmp_path / "empty", None)


def test_the_command_reports_in_one_line(
    bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit codes of a job."""
    folder = pickled(bert, tmp_path / "folder")
    assert convert_model.main([str(folder), "--to", str(tmp_path / "to")]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert convert_model.main([str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert (
        error == f"There is no folder {tmp_path / 'none'}. Give the folder of a checkpoint: MODEL=folder.\n"
    )


def test_ordered_tables_are_tables(bert: Path, tmp_path: Path) -> None:
    """What state_dict returns, with numbers beside the tensors, which are left out."""
    folder = pickled(bert, tmp_path / "folder", lambda s: collections.OrderedDict(s, epoch=3))
    convert(folder, tmp_path / "to")
    assert "epoch" not in load_file(tmp_path / "to" / "model.safetensors")
