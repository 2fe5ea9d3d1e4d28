"""What is said of an encoder's origin: what its files and transformers know, and nothing else."""

import hashlib
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.artifact.provenance import encoder_facts, encoder_line, encoder_name, true_settings
from bert_classifier.builder import build_model, encoder_of
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Channel, Environment
from support.fakes import make_pretrained


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Return the folder of a tiny encoder, which has a name of its own."""
    folder = make_pretrained(tmp_path / "model")
    name_config(folder, "someone/tiny-bert")
    return folder


def name_config(folder: Path, name: object) -> None:
    """Write into a config.json what the model is called."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "_name_or_path": name}))


def origin(folder: Path, *, is_channel: bool = True, **settings: Any) -> dict[str, Any]:
    """Return what is found of an encoder in the model channel, or in a folder that model_name names."""
    channels = {"model": Channel("model", folder)} if is_channel else {}
    environment = Environment(folder.parent, {}, channels)
    config = TrainConfig(max_seq_length=32, **({} if is_channel else {"model_name": str(folder)}) | settings)
    model, _ = build_model(config, environment, ["a", "b"])
    return encoder_of(config, environment, model)


def test_a_model_channel_is_reported_by_its_files(encoder):
    """Digest and sizes are those of the files; there is no name of the hub, and nobody's path."""
    found = origin(encoder)
    config = (encoder / "config.json").read_bytes()
    assert found["source"] == "model channel"
    assert (found["name"], found["name_in_config"], found["commit"]) == (None, "someone/tiny-bert", None)
    assert found["config_sha256"] == hashlib.sha256(config).hexdigest()
    assert found["weight_bytes"] == (encoder / "model.safetensors").stat().st_size
    assert found["weight_bytes"] == pytest.approx(4 * found["parameters"], rel=0.1)
    assert str(encoder) not in json.dumps(found)
    assert re.fullmatch(
        r"someone/tiny-bert \(from the model channel, 0\.\d million parameters\)", encoder_name(found)
    )
    line = encoder_line(found)
    assert line.startswith(
        "encoder from the model channel (its config.json names someone/tiny-bert, type bert, "
    )


def test_the_layer_that_mean_pooling_adds_is_not_counted_as_the_encoders(encoder):
    """It is named beside the encoder's own number; what an earlier version recorded is still shown."""
    plain, pooled = origin(encoder), origin(encoder, pooling="mean")
    assert (plain["has_mean_layer"], pooled["has_mean_layer"]) == (False, True)
    assert plain["parameters"] == pooled["parameters"]
    assert encoder_name(pooled).endswith(" million parameters, and one more layer)")
    assert encoder_facts(pooled)["parameters"].endswith(" million, without the head, and one more layer")
    del plain["has_mean_layer"]
    assert encoder_name(plain).endswith(" million parameters)")


@pytest.mark.parametrize("name", ["/home/jane/bert", "./checkpoint-500", "C:\\models\\x", "", None, ["x"]])
def test_a_path_is_no_name(encoder, name):
    """What save_pretrained left of somebody's machine says nothing."""
    name_config(encoder, name)
    found = origin(encoder)
    assert found["name_in_config"] is None
    assert "its config.json names" not in encoder_facts(found)
    assert encoder_name(found).startswith("bert from the model channel (")


def test_a_folder_that_model_name_names_is_a_folder(encoder):
    """It is no model of the hub either, and its setting stays as it was given."""
    found = origin(encoder, is_channel=False)
    assert (found["source"], found["name"]) == ("folder", None)
    assert true_settings({"model_name": str(encoder)}, found) == {"model_name": str(encoder)}


def test_a_name_of_the_hub_is_reported_with_its_commit(encoder):
    """As transformers knows them."""
    hub = {**origin(encoder), "source": "model hub", "name": "bert-base-uncased", "commit": "86b5e093"}
    assert encoder_facts(hub)["encoder"] == "bert-base-uncased"
    assert "commit 86b5e093" in encoder_line(hub)
    assert true_settings({"model_name": "bert-base-uncased"}, hub)["model_name"] == "bert-base-uncased"


def test_a_name_beside_a_channel_is_reported_as_unused(encoder, caplog):
    """The channel goes first, and the settings do not claim otherwise."""
    with caplog.at_level(logging.WARNING):
        found = origin(encoder, model_name="roberta-base")
    assert "model_name=roberta-base is not used: the job has a model channel" in caplog.text
    assert true_settings({"model_name": "roberta-base", "seed": 1}, found) == {"model_name": None, "seed": 1}
