"""Serving without transformers: the same answers, its precondition, and what is left to transformers."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import read_contents
from bert_classifier.engine.linear import Int8Linear
from bert_classifier.engine.model import _LINEAR, EngineModel
from bert_classifier.errors import UserError
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.engine_artifact import in_engine
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.precision import precision_of
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.clear_text import assert_clear
from support.fakes import ARCHITECTURES, toy_rows
from support.patience import PATIENCE_S
from support.source_tree import CONTAINER
from support.toy_artifact import make_artifact

OTHERS = (
    "albert",
    "data2vec-text",
    "ernie",
    "eurobert",
    "gte",
    "jina_embeddings_v3",
    "modernbert",
    "mpnet",
    "nomic_bert",
    "roberta-prelayernorm",
    "xlm-roberta-xl",
    "xmod",
)  # than the families of the BERT kind
TEXTS = [text for _, text in toy_rows(12)] + ["", "[PAD] <pad> [MASK] </s>", "word " * 100]


@pytest.mark.parametrize(
    ("architecture", "setting"),
    [*itertools.product(ARCHITECTURES, ("auto", "fp32")), *((family, "fp32") for family in OTHERS)],
)
def test_the_engine_serves_what_training_exported(tmp_path, caplog, architecture, setting):
    """Every family that it has: scores, alone and among others, are those of transformers' model."""
    caplog.set_level("INFO", logger="bert_classifier")
    folder = make_artifact(tmp_path / "model", architecture=architecture)
    artifact = in_engine(read_contents(folder), setting)
    assert artifact is not None
    assert "the engine computes the model, without transformers" in caplog.text
    expected = _scores(Predictor(load_artifact(folder)), TEXTS)
    np.testing.assert_allclose(_scores(Predictor(artifact), TEXTS), expected, atol=1e-6)
    alone = [_scores(Predictor(artifact), [text])[0] for text in TEXTS]
    np.testing.assert_allclose(alone, expected, atol=1e-6)
    assert (Predictor(artifact).max_cost, Predictor(artifact, 64).max_cost) == (512, 64)


def _scores(predictor: Predictor, texts: list[str]) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(texts)])


@pytest.mark.parametrize(("precision", "by_neighbours"), [("int8", 1e-6), ("bf16", 0.01)])
def test_low_precisions_are_the_engines_own(tmp_path, caplog, monkeypatch, precision, by_neighbours):
    """Texts share passes, and change each other by rounding at most: of sums in another order, in bf16 to 8 bits."""
    if precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU has no AVX-512, by which the engine computes bf16")
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    caplog.set_level("INFO")
    folder = make_artifact(tmp_path / "model")
    plan = make_plan(cores=1, gpus=0, models=1, threads=None, requests=1)
    (predictor,) = load_predictors(
        folder, plan, max_batch_tokens=None, precision=precision, metrics=Metrics()
    )
    assert precision_of(predictor._artifact.model) == precision
    assert f"the engine computes the model in {precision}" in caplog.text
    together = _scores(predictor, TEXTS)
    np.testing.assert_allclose(
        [_scores(predictor, [text])[0] for text in TEXTS], together, atol=by_neighbours
    )
    exact = _scores(Predictor(load_artifact(folder)), TEXTS)
    assert not np.array_equal(together, exact)
    np.testing.assert_allclose(together, exact, atol=0.03)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_layers_weights_are_held_once(tmp_path, monkeypatch, precision):
    """As the engine computes with them; the pages of the file that hold them are mapped no longer."""
    folder = make_artifact(tmp_path / "model")
    addresses = []

    def noting(file: Path) -> dict[str, torch.Tensor]:
        tensors = load_file(file)
        addresses.append(next(tensor.data_ptr() for name, tensor in tensors.items() if ".layer." in name))
        return tensors

    monkeypatch.setattr("bert_classifier.serving.model.engine_artifact.load_file", noting)
    artifact = in_engine(read_contents(folder), precision)
    assert artifact is not None
    lines = Path("/proc/self/maps").read_text().splitlines()
    maps = [line.split()[0].split("-") for line in lines if str(folder) in line]
    assert maps, "the embeddings of words are still the file's"
    assert not any(int(begin, 16) <= addresses[0] < int(end, 16) for begin, end in maps)


def test_int8_that_changes_labels_is_refused(tmp_path, monkeypatch):
    """In one sentence, as for models that transformers computes."""
    contents = read_contents(make_artifact(tmp_path / "model"))
    monkeypatch.setitem(_LINEAR, "int8", lambda weight, bias: Int8Linear(-10 * weight, bias))
    with pytest.raises(UserError, match=r"\d+ of 12 probe texts get another label") as caught:
        in_engine(contents, "int8")
    assert_clear(caught.value)


def test_int8_without_figures_needs_float32s_logits(tmp_path, caplog):
    """That its labels are kept would say little of whether the engine reads config.json as training did."""
    contents = read_contents(make_artifact(tmp_path / "model"))
    probes = contents.info["probes"]
    other = {**probes, "logits": [[value + 0.2 for value in row] for row in probes["logits"]]}
    changed = dataclasses.replace(contents, info={**contents.info, "probes": other})
    assert in_engine(changed, "int8") is None
    assert "the engine's logits are off by 0.2" in caplog.text


def test_an_engine_that_computes_something_else_is_not_used(tmp_path, monkeypatch, caplog):
    """Then transformers computes the model, with a warning."""
    contents = read_contents(make_artifact(tmp_path / "model"))
    monkeypatch.setattr("bert_classifier.engine.classifier._ACTIVATIONS", {"tanh": torch.relu})
    assert in_engine(contents, "auto") is None
    assert "the engine's logits are off by" in caplog.text


@pytest.mark.parametrize(
    ("config", "info", "setting"),
    [
        ({"model_type": "big_bird"}, {}, "auto"),
        ({"hidden_act": "relu"}, {}, "auto"),
        ({"num_hidden_layers": 3}, {}, "fp32"),
        ({"num_hidden_layers": 0}, {}, "fp32"),
        ({"num_hidden_layers": 0}, {}, "int8"),
        ({"num_attention_heads": 0}, {}, "fp32"),
        ({"num_attention_heads": 3}, {}, "fp32"),
        ({}, {"max_seq_length": 10_000}, "fp32"),
        ({}, {}, "bf16"),
    ],
    ids=[
        "family",
        "activation",
        "missing layer",
        "no layer",
        "no layer in int8",
        "no heads",
        "heads that do not divide",
        "too long",
        "bf16",
    ],
)
def test_what_the_engine_does_not_compute_is_left_to_transformers(
    tmp_path, monkeypatch, config, info, setting
):
    """None, and no error: transformers knows more, or refuses in its own words; bf16 only CPUs that multiply it."""
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    contents = read_contents(make_artifact(tmp_path / "model"))
    other = dataclasses.replace(
        contents, config={**contents.config, **config}, info={**contents.info, **info}
    )
    assert in_engine(other, setting) is None


@pytest.mark.parametrize(
    ("config", "setting", "why"),
    [
        ({"hidden_act": "relu"}, "", "its config.json has hidden_act=relu"),
        ({"hidden_act": "relu"}, "bf16", "its config.json has hidden_act=relu"),
        ({}, "bf16", "this CPU has no AVX512_BF16, by which it computes bf16"),
    ],
)
def test_a_start_says_why_transformers_computes_the_model(
    tmp_path, monkeypatch, caplog, config, setting, why
):
    """With the field of config.json that the engine does not know, or what the CPU lacks for the precision."""
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    caplog.set_level("INFO", logger="bert_classifier")
    contents = read_contents(make_artifact(tmp_path / "model"))
    other = dataclasses.replace(contents, config={**contents.config, **config})
    assert in_engine(other, setting) is None
    assert f"transformers computes the model: the engine cannot, since {why}" in caplog.messages


def test_an_artifact_without_probes_is_left_to_transformers(tmp_path):
    """What an older version wrote cannot prove the engine."""
    contents = read_contents(make_artifact(tmp_path / "model"))
    info = {name: value for name, value in contents.info.items() if name != "probes"}
    assert in_engine(dataclasses.replace(contents, info=info), "auto") is None


# What it logs, and where it stands if it hangs or crashes, is what a failure must show.
_SERVES = f"""
import faulthandler, json, logging, sys
from pathlib import Path
faulthandler.enable()
faulthandler.dump_traceback_later({PATIENCE_S}, exit=True)
logging.basicConfig(level="INFO")
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import load_predictors
plan = make_plan(cores=1, gpus=0, models=1, threads=None, requests=1)
(predictor,) = load_predictors(Path(sys.argv[1]), plan, max_batch_tokens=None, precision=sys.argv[2], metrics=Metrics())
print(json.dumps([predictor.predict(["a text"])[0].scores, "transformers" in sys.modules]))
"""


@pytest.mark.parametrize(
    ("architecture", "setting"),
    [*itertools.product(["bert"], ("auto", "int8", "bf16")), *((family, "fp32") for family in OTHERS)],
)
def test_transformers_is_not_imported(tmp_path, architecture, setting):
    """That is what makes a start quick; in a process of its own, since tests import it."""
    done = subprocess.run(
        [sys.executable, "-c", _SERVES, make_artifact(tmp_path / "model", architecture=architecture), setting],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    scores, is_imported = json.loads(done.stdout.splitlines()[-1])
    needs_it = setting == "bf16" and not torch.cpu._is_avx512_bf16_supported()
    assert is_imported == needs_it, done.stderr
    assert sum(scores) == pytest.approx(1)


def test_the_engine_holds_no_weight_twice(tmp_path, monkeypatch):
    """Joined or rounded weights replace the ones they come from."""
    monkeypatch.setattr("bert_classifier.engine.classifier._compiled", lambda module, **_: module)
    artifact = in_engine(read_contents(make_artifact(tmp_path / "model")), "fp32")
    assert artifact is not None
    model = artifact.model
    assert isinstance(model, EngineModel)
    held = {id(part) for part in _tensors_of(model._row, set())}
    size = sum(part.numel() for part in _tensors_of(model._row, set()))
    expected = sum(parameter.numel() for parameter in load_artifact(tmp_path / "model").model.parameters())
    assert held
    # The last layer's queries are apart; token types are in the positions.
    assert size == expected - 2 * 32


def _tensors_of(thing: object, seen: set[int]) -> list[torch.Tensor]:
    """Return all tensors that an object holds, each once."""
    if id(thing) in seen:
        return []
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        return [thing]
    if isinstance(thing, tuple | list):
        return [tensor for part in thing for tensor in _tensors_of(part, seen)]
    if isinstance(thing, dict):
        return [tensor for part in thing.values() for tensor in _tensors_of(part, seen)]
    if isinstance(thing, torch.nn.Module) or type(thing).__module__.startswith("bert_classifier.engine"):
        return [tensor for part in vars(thing).values() for tensor in _tensors_of(part, seen)]
    return []
