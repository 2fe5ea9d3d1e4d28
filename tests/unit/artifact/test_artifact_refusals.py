"""Folders that are no artifact, or no longer the one that was written: each is refused with one sentence."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.errors import UserError
from support.clear_text import assert_clear
from support.toy_artifact import OF_PAIRS, make_artifact

Damage = Callable[[Path], Any]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artifact that nobody may write to."""
    return make_artifact(tmp_path_factory.mktemp("artifact") / "model")


@pytest.fixture
def folder(artifact: Path, tmp_path: Path) -> Path:
    """Return a copy of it to damage."""
    return Path(shutil.copytree(artifact, tmp_path / "model"))


def remove(name: str) -> Damage:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


def cut(name: str, size: int) -> Damage:
    """Cut a file to this many bytes."""
    return lambda folder: os.truncate(folder / name, size)


def link_out(name: str) -> Damage:
    """Move a file out of the folder and leave a link to it."""

    def damage(folder: Path) -> None:
        outside = folder.with_name(f"outside-{name}")
        (folder / name).replace(outside)
        (folder / name).symlink_to(outside)

    return damage


def manifest(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """Change the manifest's list of files."""

    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest["files"])
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return damage


def signed(change: Damage) -> Damage:
    """Change files and their digests in the manifest, as a program that means to would."""

    def damage(folder: Path) -> None:
        change(folder)
        files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "manifest.json"}
        digests = {
            n: {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()} for n, raw in files.items()
        }
        (folder / "manifest.json").write_text(json.dumps({"files": digests}))

    return damage


def edit(name: str, **changes: Any) -> Damage:
    """Change fields of a JSON file, digest included; None removes one."""

    def damage(folder: Path) -> None:
        fields = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({k: v for k, v in fields.items() if v is not None}))

    return signed(damage)


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Damage:
    """Change the weights, digest included."""

    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return signed(damage)


def outside_name(folder: Path) -> None:
    """Let the manifest name a file outside that has the right digest."""
    shutil.copy(folder / "config.json", folder.parent / "x.json")
    manifest(lambda files: files.update({"../x.json": files["config.json"]}))(folder)


WEIGHT = "bert.encoder.layer.0.output.dense.weight"
BAD_ARTIFACTS: dict[str, tuple[Damage, str]] = {
    "gone": (shutil.rmtree, r"holds no trained model: there is no manifest\.json"),
    "empty": (lambda f: (shutil.rmtree(f), f.mkdir()), "holds no trained model"),
    "a pretrained model": (remove("manifest.json"), "holds no trained model"),
    "weights missing": (remove("model.safetensors"), r"model\.safetensors' of the model in .* is missing"),
    "config missing": (remove("config.json"), r"config\.json' of the model in .* is missing"),
    "pickle in place of weights": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        r"model\.safetensors' of the model in .* is missing",
    ),
    "weights cut": (cut("model.safetensors", 5000), r"model\.safetensors' .* is not what training wrote"),
    "tokenizer emptied": (cut("tokenizer.json", 0), r"tokenizer\.json' .* is not what training wrote"),
    "weights linked": (link_out("model.safetensors"), "missing or a link"),
    "folder in place of a file": (
        lambda f: ((f / "config.json").unlink(), (f / "config.json").mkdir()),
        "missing or a link",
    ),
    "manifest emptied": (cut("manifest.json", 0), r"manifest\.json is not valid JSON"),
    "manifest a list": (lambda f: (f / "manifest.json").write_text("[]"), "holds a JSON list"),
    "manifest very deep": (lambda f: (f / "manifest.json").write_text('{"a":' * 10**5), "is not valid JSON"),
    "manifest without files": (lambda f: (f / "manifest.json").write_text("{}"), "does not list"),
    "manifest without weights": (manifest(lambda files: files.pop("model.safetensors")), "does not list"),
    "manifest names a file outside": (outside_name, "missing or a link"),
    "manifest names an absolute file": (
        manifest(lambda files: files.update({"/etc/hostname": {}})),
        "missing or a link",
    ),
    "manifest names the folder above": (
        manifest(lambda files: files.update({"..": {}})),
        "missing or a link",
    ),
    "manifest names nothing": (manifest(lambda files: files.update({"": {}})), "missing or a link"),
    "manifest without digest": (
        manifest(lambda files: files.update({"config.json": {}})),
        "'config.json' .* is not what training wrote",
    ),
    "labels differ": (edit("training.json", labels=["Alpha", "Gamma", "Beta"]), "the labels .* differ"),
    "a label more": (
        edit("training.json", labels=["Alpha", "Beta", "Gamma", "Delta"]),
        "the labels .* differ",
    ),
    "a label less": (edit("training.json", labels=["Alpha", "Beta"]), "the labels .* differ"),
    "no labels": (edit("training.json", labels=None), "has no usable labels"),
    "no length": (edit("training.json", max_seq_length=None), "has no usable max_seq_length"),
    "length a text": (edit("training.json", max_seq_length="64"), "has no usable max_seq_length"),
    "temperature 0": (edit("training.json", temperature=0), "has no usable temperature"),
    "unknown cut": (edit("training.json", truncation="middle"), "has no usable truncation"),
    "pairs without a cut": (
        edit("training.json", is_paired=True, has_token_types=True),
        "no pair_truncation",
    ),
    "pairs without types": (
        edit("training.json", **{**OF_PAIRS, "has_token_types": None}),
        "no has_token_types",
    ),
    "types a text": (
        edit("training.json", **{**OF_PAIRS, "has_token_types": "1"}),
        "no usable has_token_types",
    ),
    "a cut without pairs": (
        edit("training.json", pair_truncation="only_second"),
        "and has a pair_truncation",
    ),
    "too long": (edit("training.json", max_seq_length=513), "max_seq_length=513 is more than the 512"),
    "vocabulary too large": (
        edit("config.json", vocab_size=20),
        r"has ids up to \d+, the model only those below 20",
    ),
    "code of its own": (
        edit("config.json", model_type="neobert", auto_map={"AutoModel": "evil.M"}),
        "asks to run code",
    ),
    "images": (edit("config.json", model_type="vit"), "is of type vit, which is not a text encoder"),
    "broken tokenizer": (signed(cut("tokenizer.json", 900)), "The tokenizer in .* is unusable"),
    "broken weights": (signed(cut("model.safetensors", 900)), "The model in .* is damaged"),
    "tensor missing": (tensors(lambda w: w.pop(WEIGHT)), f"does not fit config.json at {WEIGHT}"),
    "tensor of another shape": (
        tensors(lambda w: w.update({WEIGHT: torch.zeros(4, 4)})),
        f"does not fit config.json at {WEIGHT}",
    ),
    "head of other classes": (
        tensors(
            lambda w: w.update({"classifier.weight": torch.zeros(5, 32), "classifier.bias": torch.zeros(5)})
        ),
        r"does not fit config.json at classifier\.",
    ),
    "giant": (edit("config.json", hidden_size=1_000_000), "The model in .* is unusable: .*allocate"),
}


@pytest.mark.parametrize("name", BAD_ARTIFACTS)
def test_bad_artifact_is_refused(folder, name):
    """Whatever is wrong, one sentence says it and one what to do; no answer comes from such a model."""
    damage, expected = BAD_ARTIFACTS[name]
    damage(folder)
    with pytest.raises(UserError, match=expected) as caught:
        load_artifact(folder)
    assert_clear(caught.value)
    assert str(folder) in caught.value.cause


def test_the_undamaged_artifact_is_taken(folder):
    """The folder that the cases above damage is a good one, and signing it anew keeps it good."""
    assert load_artifact(folder).labels == ("Alpha", "Beta", "Gamma")
    signed(lambda _: None)(folder)
    assert load_artifact(folder).labels == ("Alpha", "Beta", "Gamma")


def test_foreign_files_do_no_harm(folder):
    """Files that training did not write are left alone: pickles, code, an index, an adapter, hidden files."""
    for name in (
        "pytorch_model.bin",
        "tokenization_bert.py",
        "x.pkl",
        ".hidden",
        "vocab.txt",
        "spiece.model",
    ):
        (folder / name).write_bytes(b"\x80\x04not opened")
    for name in (
        "model.safetensors.index.json",
        "adapter_config.json",
        "tokenizer.model",
        "added_tokens.json",
    ):
        (folder / name).write_text('{"base_model_name_or_path": "elsewhere", "weight_map": {}}')
    (folder / "code").mkdir()
    assert load_artifact(folder).labels == ("Alpha", "Beta", "Gamma")


def test_two_artifacts_below_are_ambiguous(artifact, tmp_path):
    """Where several folders hold a model, none is picked at random."""
    for name in ("a", "b"):
        shutil.copytree(artifact, tmp_path / "both" / name)
    with pytest.raises(UserError, match="holds no trained model") as caught:
        load_artifact(tmp_path / "both")
    assert_clear(caught.value)


def digested_files(folder: Path) -> list[Path]:
    """Return an artifact's files that must stay as they were written."""
    return sorted(path for path in folder.iterdir() if path.name != "README.md")


def flip(path: Path, bit: int) -> None:
    """Change one bit of a file."""
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


def test_one_flipped_bit_anywhere_is_noticed(folder):
    """First, last and many random bits of every file, the manifest's own too: none gets through."""
    draw = random.Random(0)
    for path in digested_files(folder):
        bits = 8 * path.stat().st_size
        tries = 200 if path.name == "manifest.json" else 25
        for bit in {0, 7, bits - 1, *(draw.randrange(bits) for _ in range(tries))}:
            flip(path, bit)
            with pytest.raises(UserError) as caught:
                load_artifact(folder)
            assert_clear(caught.value)
            flip(path, bit)
    assert load_artifact(folder).labels


def test_one_byte_more_or_less_is_noticed(folder):
    """A file that grew or shrank by its last byte is not the one that was written."""
    for path in digested_files(folder):
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"\0"):
            path.write_bytes(damaged)
            if path.name == "manifest.json" and damaged == whole[:-1]:
                continue  # the line end behind its last brace says nothing
            with pytest.raises(UserError):
                load_artifact(folder)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "damage", [remove("README.md"), lambda folder: (folder / "README.md").write_text("Ours.")]
)
@pytest.mark.parametrize("is_listed", [False, True])
def test_the_model_card_is_the_users_to_edit(folder, damage, is_listed):
    """No program reads it. Artifacts of earlier versions list it in their manifests."""
    if is_listed:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"]["README.md"] = {"bytes": 1, "sha256": "0" * 64}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    damage(folder)
    assert load_artifact(folder)
