"""An artifact's tokenizer: plain transformers makes the server's ids of every text, and cuts where the server cuts."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, FunnelTokenizer, pipeline

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.artifact.contents import Artifact
from bert_classifier.artifact.saved_tokenizer import save_tokenizer
from bert_classifier.encoding.frames import PairFrame
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.encoders import make_encoder

LENGTH = 16
LABELS = ("Alpha", "Beta", "Gamma")
TEXTS = (
    "A comet over the harbour.",
    "a",
    "Ünïcödé «œuvre» naïve Straße",
    "Москва слезам не верит; 東京は夜の七時; مساء الخير",
    "[MASK] <mask> [SEP]x</s> <pad> [PAD] [UNK]",
    "  two  spaces\n\tand lines  ",
    "👩🏾‍🚒 🏴‍☠️ ½ ﬃ ＡＢＣ",
    "see https://a.example/b?c=d#e or mail f@g.example, 1,234.50 EUR on 2026-02-28 " * 3,
    "falcon sparrow heron comet planet orbit senate mayor ballot " * 4,
)
TYPES = (
    "bert", "roberta", "distilbert", "electra", "xlm-roberta", "camembert", "albert", "deberta-v2", "mpnet",
    "modernbert", "eurobert", "rembert", "luke", "nomic_bert", "gte",
)  # fmt: skip
WRONG = {"bert": "RobertaTokenizer", "roberta": "XLMRobertaTokenizer", "xlm-roberta": "BertTokenizerFast"}

quiet_transformers()


def train(encoder: Path, folder: Path) -> Artifact:
    """Save an untrained classifier over an encoder as an artifact, and load it as the server does."""
    tokenizer = load_tokenizer(str(encoder))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = load_pretrained(str(encoder), LABELS, tokenizer, LENGTH)
    save_artifact(folder, model, tokenizer, LABELS, {"max_seq_length": LENGTH, "truncation": "head"})
    return load_artifact(folder)


def ids_of(artifact: Artifact) -> list[list[int]]:
    """Return the server's ids of TEXTS."""
    encoded = artifact.encoder.encode_batch(TEXTS)
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]


def scores_of(artifact: Artifact) -> np.ndarray:
    """Return the server's scores of TEXTS, each computed alone."""
    forward = Forward(artifact.model, artifact.encoder.pad_id, torch.device("cpu"), "fp32")
    encoded = artifact.encoder.encode_batch(TEXTS)
    logits = compute_logits(forward, encoded, [np.array([i]) for i in range(len(TEXTS))], len(LABELS))
    return np.asarray(torch.softmax(torch.as_tensor(logits), -1))


def plain_scores(folder: Path, **options: Any) -> np.ndarray:
    """Return the scores of TEXTS by the pipeline of plain transformers."""
    plain: Any = pipeline("text-classification", model=str(folder), truncation=True, top_k=None, **options)
    found = [{entry["label"]: entry["score"] for entry in answer} for answer in plain(list(TEXTS))]
    return np.array([[answer[label] for label in LABELS] for answer in found])


@pytest.mark.parametrize("model_type", TYPES)
def test_plain_transformers_answers_as_the_server(tmp_path, model_type):
    """AutoTokenizer gives the server's ids, cut at the trained length, and the pipeline gives its scores."""
    artifact = train(make_encoder(tmp_path / "encoder", model_type), tmp_path / "model")
    plain = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert plain.model_max_length == LENGTH
    ids = ids_of(artifact)
    assert max(map(len, ids)) == LENGTH
    assert [plain(text, truncation=True)["input_ids"] for text in TEXTS] == ids
    np.testing.assert_allclose(plain_scores(tmp_path / "model"), scores_of(artifact), atol=1e-5)
    np.testing.assert_allclose(plain_scores(tmp_path / "model", batch_size=4), scores_of(artifact), atol=1e-5)


@pytest.mark.parametrize("model_type", WRONG)
def test_wrong_class_does_not_reach_the_artifact(tmp_path, model_type):
    """What the checkpoint says of its class is not repeated where transformers would rebuild another tokenizer."""
    encoder = make_encoder(tmp_path / "encoder", model_type)
    settings = json.loads((encoder / "tokenizer_config.json").read_text())
    (encoder / "tokenizer_config.json").write_text(
        json.dumps({**settings, "tokenizer_class": WRONG[model_type]})
    )
    ids = ids_of(train(encoder, tmp_path / "model"))
    own = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    assert [own.encode(text).ids for text in TEXTS[:2]] == ids[:2]
    plain = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert [plain(text, truncation=True)["input_ids"] for text in TEXTS] == ids
    saved = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert saved["tokenizer_class"] == "PreTrainedTokenizerFast"  # the name that transformers 4 knows too


def test_artifact_trains_again(tmp_path):
    """An artifact as the model channel of another job gives the same tokenizer, whose length is no limit."""
    for model_type in ("xlm-roberta", "roberta"):
        first = train(make_encoder(tmp_path / model_type, model_type), tmp_path / "first")
        assert ids_of(train(tmp_path / "first", tmp_path / "second")) == ids_of(first)
        shutil.rmtree(tmp_path / "second")


def test_left_sided_settings_are_not_kept(tmp_path):
    """A checkpoint that cuts and pads on the left is served cut at the end, and plain transformers does the same."""
    encoder = make_encoder(tmp_path / "encoder", "bert")
    settings = json.loads((encoder / "tokenizer_config.json").read_text())
    sides = {"padding_side": "left", "truncation_side": "left"}
    (encoder / "tokenizer_config.json").write_text(json.dumps({**settings, **sides}))
    artifact = train(encoder, tmp_path / "model")
    np.testing.assert_allclose(plain_scores(tmp_path / "model", batch_size=9), scores_of(artifact), atol=1e-5)


def test_lengths_in_the_file_do_not_cut(tmp_path):
    """Truncation and padding in tokenizer.json, as sentence encoders have them, change nothing."""
    encoder = make_encoder(tmp_path / "encoder", "bert")
    own = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    own.enable_truncation(5)
    own.enable_padding(length=5)
    own.save(str(encoder / "tokenizer.json"))
    artifact = train(encoder, tmp_path / "model")
    plain = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert [plain(text, truncation=True)["input_ids"] for text in TEXTS] == ids_of(artifact)
    assert max(map(len, ids_of(artifact))) == LENGTH


def test_a_frame_unfit_for_pairs_does_not_end_the_export(tmp_path):
    """A class may bring a frame of its own, as Funnel's with a third token type: the file is used as it stands."""
    folder = make_encoder(tmp_path / "encoder", "bert")
    kept = load_tokenizer(str(folder))
    tokenizer = FunnelTokenizer.from_pretrained(folder)
    tokenizer._tokenizer = kept.backend_tokenizer
    model = load_pretrained(str(folder), LABELS, kept, LENGTH)
    saved = tmp_path / "saved"
    save_tokenizer(saved, tokenizer, model, LENGTH, has_token_types=True)
    plain = AutoTokenizer.from_pretrained(saved)
    assert PairFrame.of(plain.backend_tokenizer) == PairFrame.of(kept.backend_tokenizer)
    assert plain("a", "b")["input_ids"] == kept("a", "b")["input_ids"]
