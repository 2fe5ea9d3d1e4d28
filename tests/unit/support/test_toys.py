"""What other tests stand on: toy texts, encoders that load, a clean environment, a closed network."""

import os
import socket

import pytest

from bert_classifier.data.records import read_csv_rows, read_lines
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from support.fakes import (
    ARCHITECTURES,
    CLASS_NAMES,
    make_ml_root,
    make_pretrained,
    make_tokenizer,
    toy_rows,
    write_csv,
)


def test_toy_rows_are_even_varied_and_repeatable():
    """Classes are evenly spread, lengths run from 3 to 60 words, and one seed gives one set of rows."""
    rows = toy_rows(240, classes=3, seed=5)
    assert [sum(label == name for label, _ in rows) for name in CLASS_NAMES[:3]] == [80, 80, 80]
    lengths = {len(text.split()) for _, text in rows}
    assert (min(lengths), max(lengths)) == (3, 60)
    assert rows == toy_rows(240, classes=3, seed=5)
    assert rows != toy_rows(240, classes=3, seed=6)


def test_written_rows_are_read_back(tmp_path):
    """A toy file has the layout of DBpedia: class index from 1, title, abstract."""
    rows = toy_rows(20)
    read = [row.cells for row in read_csv_rows(read_lines(write_csv(tmp_path / "a.csv", rows)))]
    assert [(CLASS_NAMES[int(index) - 1], text) for index, _, text in read] == rows


def test_toy_tokenizer_knows_the_toy_words_and_spells_the_others():
    """No toy text holds an unknown token, and a foreign ASCII word is spelt in letters."""
    tokenizer = make_tokenizer()
    for _, text in toy_rows(64, classes=8):
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]
    assert tokenizer.tokenize("Zebra 42?") == ["z", "##e", "##b", "##r", "##a", "4", "##2", "?"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_toy_encoder_loads_as_a_classifier(tmp_path, architecture):
    """Each toy encoder loads with plain transformers, takes the longest text, and repeats by its seed."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    first = make_pretrained(tmp_path / "first", architecture, seed=3)
    again = make_pretrained(tmp_path / "again", architecture, seed=3)
    assert (first / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    model = AutoModelForSequenceClassification.from_pretrained(first, num_labels=3).eval()
    inputs = AutoTokenizer.from_pretrained(first)("the lemon " * 600, truncation=True, return_tensors="pt")
    assert inputs["input_ids"].shape == (1, 512)
    with torch.inference_mode():
        assert model(**inputs).logits.shape == (1, 3)


def test_toy_root_is_read_like_a_real_one(tmp_path):
    """The picture of /opt/ml has every channel and string-valued hyperparameters that can be replaced."""
    root = make_ml_root(
        tmp_path / "ml", hyperparameters={"seed": "11", "precision": "fp32"}, rows=12, classes=2
    )
    environment = Environment.read(root, {})
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    assert (config.seed, config.precision, config.max_seq_length) == (11, "fp32", 64)
    counts = [
        len(list(read_lines(environment.channels[c].files()[0]))) for c in ("train", "validation", "test")
    ]
    assert counts == [12, 6, 6]
    assert (root / "input/data/class/classes.txt").read_text() == "Alpha\nBeta\n"
    assert (root / "input/data/model/config.json").is_file()


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_network_is_closed(method):
    """A test that reaches for the network fails at once; loopback stays open."""
    with socket.socket() as outside, pytest.raises(PermissionError, match="loopback only"):
        getattr(outside, method)(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as inside:
        inside.connect(server.getsockname())


@pytest.fixture(scope="module")
def polluted():
    """Leave variables behind, as a developer's shell or a careless test may."""
    names = ("SAGEMAKER_REGION", "SM_HOSTS", "HF_HOME", "TRAINING_JOB_NAME", "ML_ROOT", "KEPT_FOR_TESTS")
    os.environ.update(dict.fromkeys(names, "left"))
    yield names
    for name in names:
        os.environ.pop(name)


def test_environment_is_clean(polluted):
    """Variables of SageMaker's, the hub's and ours do not reach a test; any others do."""
    assert [name for name in polluted if name in os.environ] == ["KEPT_FOR_TESTS"]
