"""Jobs whose encoder is tried before data are read: nothing of the training changes, and what fails is said in time."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.modeling.positions import positions_of_model
from bert_classifier.training import prepare
from support.clear_text import assert_clear_text
from support.encoders import make_encoder
from support.fakes import make_ml_root
from support.train_process import train_in_process

TOKENS = 48


def make_job(folder: Path, family: str, settings: dict[str, str], **config: Any) -> Path:
    """Make a picture of /opt/ml whose texts are longer than the encoder takes."""
    root = make_ml_root(folder, hyperparameters={"num_train_epochs": "1", **settings}, rows=12)
    shutil.rmtree(root / "input/data/model")
    make_encoder(root / "input/data/model", family, tokens=TOKENS, **config)
    train = root / "input/data/train/train.csv"
    train.write_text(train.read_text().replace(" ", " and then there was something else: "))
    return root


@pytest.mark.parametrize("family", ["mpnet", "longformer"])
def test_a_family_trains_at_its_full_length(tmp_path, capsys, family):
    """The length that the check permits is one that the model computes; one more is refused before data are read."""
    root = make_job(tmp_path / "ml", family, {"max_seq_length": str(TOKENS)})
    assert train_in_process(root, capsys).code == 0
    settings = root / "input/config/hyperparameters.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "max_seq_length": str(TOKENS + 1)}))
    ended = train_in_process(root, capsys)
    assert ended.code == 2
    assert f"max_seq_length={TOKENS + 1} is more than the {TOKENS} tokens" in ended.failure


def test_the_automatic_length_is_one_that_the_model_computes(tmp_path, capsys):
    """Where it takes fewer tokens than would be chosen."""
    settings = make_job(tmp_path / "ml", "data2vec-text", {}) / "input/config/hyperparameters.json"
    fields = json.loads(settings.read_text())
    del fields["max_seq_length"]
    settings.write_text(json.dumps(fields))
    assert train_in_process(tmp_path / "ml", capsys).code == 0
    info = json.loads((tmp_path / "ml/model/training.json").read_text())
    assert info["hyperparameters"]["max_seq_length"] == TOKENS


def test_no_bit_of_a_training_changes(tmp_path, capsys, monkeypatch):
    """With the trial and without it, the model is the same."""
    digests = set()
    for name in ("with", "without"):
        root = make_job(tmp_path / name, "bert", {"max_seq_length": str(TOKENS)}, hidden_dropout_prob=0.3)
        if name == "without":
            monkeypatch.setattr(prepare, "check_encoder_for", lambda _, model, *__: positions_of_model(model))
        assert train_in_process(root, capsys).code == 0
        digests.add(hashlib.sha256((root / "model/model.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_what_fails_is_said_before_data_are_read(tmp_path, capsys):
    """In one sentence, as the checkpoint's fault."""
    settings = {"attention_type": "block_sparse", "block_size": 2, "num_random_blocks": 1}
    root = make_job(tmp_path / "ml", "big_bird", {"max_seq_length": str(TOKENS)}, **settings)
    ended = train_in_process(root, capsys)
    assert ended.code == 2
    assert "short ones change its attention_type from block_sparse to original_full" in ended.failure
    assert_clear_text(ended.failure)
    assert "reading the data" not in ended.log
