"""A pretrained encoder comes in, an artifact goes out: the same answers, also by plain transformers."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.encoding.micro_batches import pad
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.errors import PlatformError
from bert_classifier.modeling.forward import logits_of
from bert_classifier.modeling.pretrained import freeze_encoder, load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.fakes import ARCHITECTURES, make_pretrained, toy_rows
from support.without_privileges import without_privileges

LABELS = ("Größe", "new york", "Mean Of Transportation")
LENGTH = 24
TEXTS = [text for _, text in toy_rows(12)]


@dataclasses.dataclass
class Saved:
    """An artifact's folder and what was saved in it."""

    source: Path
    folder: Path
    model: Any
    tokenizer: Any


@pytest.fixture(scope="module", params=ARCHITECTURES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return an artifact of each architecture; do not write to it."""
    folder = tmp_path_factory.mktemp(request.param)
    source = make_pretrained(folder / "source", request.param)
    tokenizer = load_tokenizer(str(source))
    torch.manual_seed(0)
    model = load_pretrained(str(source), LABELS, tokenizer, LENGTH)
    info = {"max_seq_length": LENGTH, "truncation": "head_tail", "temperature": 1.25, "note": "größer"}
    save_artifact(folder / "model", model, tokenizer, LABELS, info)
    return Saved(source, folder / "model", model.eval(), tokenizer)


def encode(tokenizer: Any) -> EncodedTexts:
    """Return the texts' ids as training would make them."""
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, LENGTH, "head_tail")
    return encoder.encode_batch(TEXTS)


@torch.inference_mode()
def answers(model: Any, encoded: EncodedTexts, pad_id: int) -> torch.Tensor:
    """Return the logits of all texts, computed in one batch."""
    return logits_of(model, *pad(encoded, torch.arange(len(encoded)).numpy(), pad_id))


def test_artifact_answers_as_the_model_in_memory(saved):
    """Loaded again, the model gives the same bits for the same texts, cut the same way."""
    artifact = load_artifact(saved.folder)
    encoded = artifact.encoder.encode_batch(TEXTS)
    reference = encode(saved.tokenizer)
    assert encoded.ids.tolist() == reference.ids.tolist()
    assert encoded.truncated.any()
    ours = answers(artifact.model, encoded, artifact.encoder.pad_id)
    assert torch.equal(ours, answers(saved.model, reference, saved.tokenizer.pad_token_id))
    assert ours.dtype == torch.float32
    assert ours.shape == (len(TEXTS), len(LABELS))


def test_artifact_holds_what_training_recorded(saved):
    """Labels, temperature, length and everything else of training.json come back as they were."""
    artifact = load_artifact(saved.folder)
    assert artifact.labels == LABELS
    assert artifact.temperature == 1.25
    assert artifact.encoder.max_length == LENGTH
    assert artifact.encoder.pad_id == saved.tokenizer.pad_token_id
    assert artifact.info["note"] == "größer"
    assert artifact.info["truncation"] == "head_tail"
    assert not artifact.model.training
    assert {p.dtype for p in artifact.model.parameters()} == {torch.float32}


def test_artifact_loads_with_plain_transformers(saved):
    """Model, tokenizer and label names are there for anyone with transformers alone, with the same logits."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(saved.folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved.folder)
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.label2id == {label: index for index, label in enumerate(LABELS)}
    encoded = encode(saved.tokenizer)
    pad_id = saved.tokenizer.pad_token_id
    assert torch.equal(answers(model, encoded, pad_id), answers(saved.model, encoded, pad_id))
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == saved.tokenizer(text)["input_ids"]


def test_artifact_is_flat_and_holds_no_pickle(saved):
    """Every file lies in the folder itself, is a plain file of mode 0644, and is JSON, safetensors or text."""
    for path in saved.folder.iterdir():
        assert path.is_file()
        assert not path.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o644
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        else:
            assert path.name in ("model.safetensors", "vocab.txt", "merges.txt", "README.md")
    assert {"config.json", "model.safetensors", "tokenizer.json", "training.json"} <= names_of(saved.folder)


def names_of(folder: Path) -> set[str]:
    """Return the names of what lies in a folder."""
    return {path.name for path in folder.iterdir()}


def test_manifest_lists_every_other_file(saved):
    """Names, sizes and SHA-256 are those of the files, as any other tool computes them; README.md is for people."""
    listed = json.loads((saved.folder / "manifest.json").read_text())["files"]
    assert set(listed) == names_of(saved.folder) - {"manifest.json", "README.md"}
    for name, entry in listed.items():
        raw = (saved.folder / name).read_bytes()
        assert entry == {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def test_pretrained_encoder_is_taken_over(saved):
    """All weights of the encoder are those of the checkpoint; a pooler that it has is too."""
    before = transformers.AutoModel.from_pretrained(saved.source).state_dict()
    after = saved.model.base_model.state_dict()
    assert {name for name in after if "pooler" not in name} <= set(before)
    for name in set(before) & set(after):
        assert torch.equal(before[name], after[name]), name


def test_attention_dropout_is_off_and_hidden_dropout_on(saved):
    """Ways of computing attention that differ in their dropout would differ in their gradients."""
    config = saved.model.config
    rates = [getattr(config, name, 0.0) for name in ("attention_probs_dropout_prob", "attention_dropout")]
    assert rates == [0.0, 0.0]
    applied = {module.p for module in saved.model.modules() if isinstance(module, torch.nn.Dropout)}
    assert max(applied) > 0


def test_frozen_encoder_leaves_head_and_pooler_learning(saved):
    """What learns is what the checkpoint's pretraining did not make for this task."""
    model = load_pretrained(str(saved.source), LABELS, saved.tokenizer, LENGTH)
    freeze_encoder(model)
    learning = {name.split(".")[0] if "pooler" not in name else "pooler" for name, p in _learning(model)}
    expected = {
        "bert": {"pooler", "classifier"},
        "roberta": {"classifier"},
        "distilbert": {"pre_classifier", "classifier"},
        "electra": {"classifier"},
    }
    assert learning == expected[model.config.model_type]


def _learning(model: Any) -> list[tuple[str, Any]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def test_head_for_other_classes_is_replaced(saved, tmp_path):
    """A checkpoint that was fine-tuned for other classes gives its encoder; its head is made anew."""
    torch.manual_seed(1)
    other = load_pretrained(str(saved.source), [f"class {i}" for i in range(7)], saved.tokenizer, LENGTH)
    other.save_pretrained(tmp_path)
    saved.tokenizer.save_pretrained(tmp_path)
    model = load_pretrained(str(tmp_path), LABELS, load_tokenizer(str(tmp_path)), LENGTH)
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.num_labels == len(LABELS)
    for name, tensor in other.base_model.state_dict().items():
        assert torch.equal(tensor, model.base_model.state_dict()[name]), name
    encoded = encode(saved.tokenizer)
    assert answers(model, encoded, saved.tokenizer.pad_token_id).shape == (len(TEXTS), len(LABELS))


def test_checkpoint_without_a_pooler_is_taken(tmp_path, pretrained):
    """A pooler learns with the head, so a checkpoint saved without one is complete."""
    bare = transformers.BertModel.from_pretrained(pretrained, add_pooling_layer=False)
    bare.save_pretrained(tmp_path)
    tokenizer = load_tokenizer(str(pretrained))
    tokenizer.save_pretrained(tmp_path)
    model = load_pretrained(str(tmp_path), LABELS, tokenizer, LENGTH)
    assert model.get_parameter("bert.pooler.dense.weight").std() > 0


def test_checkpoint_in_half_precision_becomes_float32(tmp_path, pretrained):
    """However a checkpoint is stored, training starts in float32."""
    transformers.BertModel.from_pretrained(pretrained, dtype=torch.bfloat16).save_pretrained(tmp_path)
    tokenizer = load_tokenizer(str(pretrained))
    tokenizer.save_pretrained(tmp_path)
    model = load_pretrained(str(tmp_path), LABELS, tokenizer, LENGTH)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_artifact_is_found_one_level_below(saved, tmp_path):
    """An archive that was packed with its folder unpacks one level deeper; hidden folders do not count."""
    shutil.copytree(saved.folder, tmp_path / "model")
    shutil.copytree(saved.folder, tmp_path / ".hidden")
    assert load_artifact(tmp_path).labels == LABELS


def test_newer_artifact_replaces_the_older(saved, tmp_path):
    """Saved over another one, the folder is the new artifact, whatever files the old one had besides."""
    shutil.copytree(saved.folder, tmp_path / "model")
    (tmp_path / "model" / "left.over").write_text("x")
    info = {"max_seq_length": 12, "truncation": "head"}
    save_artifact(tmp_path / "model", saved.model, saved.tokenizer, LABELS, info)
    artifact = load_artifact(tmp_path / "model")
    assert (artifact.encoder.max_length, artifact.temperature) == (12, 1.0)
    assert "left.over" in names_of(tmp_path / "model")


def test_a_model_that_may_not_be_replaced_is_no_matter_of_room(saved, tmp_path):
    """The remedy follows from what the system says: a larger volume does not give access."""
    folder = shutil.copytree(saved.folder, tmp_path / "model")
    folder.chmod(0o500)
    info = {"max_seq_length": 12, "truncation": "head"}
    with without_privileges(), pytest.raises(PlatformError, match="Permission denied") as caught:
        save_artifact(folder, saved.model, saved.tokenizer, LABELS, info)
    folder.chmod(0o700)
    assert_clear(caught.value)
    assert "volume_size" not in caught.value.remedy
    assert "access" in caught.value.remedy
    assert load_artifact(folder).info["max_seq_length"] != 12


def test_logits_are_float32_under_autocast(pretrained):
    """In lower precision the logits still come as float32, for softmax and loss."""
    tokenizer = load_tokenizer(str(pretrained))
    model = load_pretrained(str(pretrained), LABELS, tokenizer, LENGTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert answers(model, encode(tokenizer), tokenizer.pad_token_id).dtype == torch.float32
