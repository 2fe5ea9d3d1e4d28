"""Models whose files were changed together with their digests: said in a sentence, never served in silence."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bert_classifier.artifact.manifest import put_files
from bert_classifier.errors import UserError
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.clear_text import assert_clear
from support.toy_artifact import make_artifact


def served(folder: Path, precision: str = "") -> Predictor:
    """Return the predictor of a folder as `serve` loads it, after giving its files new digests."""
    (folder / "manifest.json").unlink()
    put_files(folder, folder.with_name("served"))
    plan = make_plan(cores=1, gpus=0, models=1, threads=None, requests=1)
    (predictor,) = load_predictors(
        folder.with_name("served"), plan, max_batch_tokens=None, precision=precision, metrics=Metrics()
    )
    return predictor


def change_fields(file: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Write the fields that a function makes of a JSON file's."""
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


@pytest.mark.parametrize("architecture", ["bert", "albert", "deberta-v2"])
def test_weights_that_end_early_are_damaged(tmp_path, architecture):
    """Whoever would compute the model."""
    weights = make_artifact(tmp_path / "model", architecture=architecture) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(UserError, match="is damaged") as caught:
        served(weights.parent)
    assert_clear(caught.value)


@pytest.mark.parametrize("precision", ["", "int8"])
def test_weights_that_are_no_numbers_are_refused(tmp_path, precision):
    """It is the training's fault, or that of who changed them: no bug of the server's."""
    weights = make_artifact(tmp_path / "model") / "model.safetensors"
    tensors = load_file(weights)
    tensors["classifier.bias"] = torch.full_like(tensors["classifier.bias"], torch.nan)
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(UserError, match="not finite") as caught:
        served(weights.parent, precision)
    assert_clear(caught.value)


@pytest.mark.parametrize("precision", ["", "int8"])
@pytest.mark.parametrize("architecture", ["bert", "deberta-v2"])
def test_other_logits_than_training_recorded_are_told(tmp_path, caplog, architecture, precision):
    """A field of config.json was changed: labels alone may not show it, nor who computes the model."""
    folder = make_artifact(tmp_path / "model", architecture=architecture)
    change_fields(folder / "config.json", lambda fields: {**fields, "layer_norm_eps": 0.5})
    with contextlib.suppress(UserError):  # of int8, where it changes labels too
        served(folder, precision)
    assert "scores are not those of training: the logits of its probe texts are off by" in caplog.text


@pytest.mark.parametrize("architecture", ["bert", "deberta-v2"])
@pytest.mark.parametrize("precision", ["", "int8"])
def test_what_training_wrote_brings_no_warning(tmp_path, caplog, architecture, precision):
    """The same comparison, unchanged."""
    served(make_artifact(tmp_path / "model", architecture=architecture), precision)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    "probes",
    [
        {},
        {"texts": ["a"], "logits": []},
        {"texts": ["a", "b"], "logits": [[1, 2, 3], [4]]},
        {"texts": ["a"], "logits": [[1, 2]]},
        {"texts": ["a"], "logits": [[1, 2, float("inf")]]},
        {"texts": ["a"], "logits": [[1, 2, "3"]]},
        [],
    ],
)
def test_logits_that_prove_nothing_are_refused(tmp_path, probes):
    """Three classes need three numbers for each text."""
    folder = make_artifact(tmp_path / "model")
    change_fields(folder / "training.json", lambda fields: {**fields, "probes": probes})
    with pytest.raises(UserError, match=r"training\.json has no usable probes") as caught:
        served(folder)
    assert_clear(caught.value)
