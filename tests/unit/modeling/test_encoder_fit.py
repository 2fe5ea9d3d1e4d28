"""Weights that do not fit config.json: what is missing, renamed, of another shape or left over is named."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.tokenizer_folders import edit

quiet_transformers()

Tensors = dict[str, torch.Tensor]
FIRST = "bert.embeddings.LayerNorm.bias"
LAYER = "bert.encoder.layer.0"


def load(folder: Path) -> Any:
    """Load a checkpoint as a job does."""
    return load_pretrained(str(folder), ("a", "b"), load_tokenizer(str(folder)), None)


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Change the tensors of a checkpoint."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def refused(folder: Path) -> UserError:
    """Return the error with which a checkpoint is refused."""
    with pytest.raises(UserError) as caught:
        load(folder)
    assert_clear(caught.value)
    assert str(folder) in caught.value.cause
    return caught.value


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "module.", "encoder.", "0.auto_model."])
def test_a_prefix_of_all_names_is_named(copy_of, prefix):
    """Lightning, torch.compile and others put one before the names; the remedy says how to take it off, and does."""
    folder = copy_of("bert")
    cut = "bert." if prefix.startswith("0") else ""
    rewrite(folder, lambda tensors: {prefix + name.removeprefix(cut): t for name, t in tensors.items()})
    error = refused(folder)
    assert f": {prefix}{FIRST.removeprefix(cut)} in place of {FIRST}." in error.cause
    assert f"save_file({{name.removeprefix('{prefix}'): tensor for name, tensor in " in error.remedy
    rewrite(folder, lambda tensors: {name.removeprefix(prefix): t for name, t in tensors.items()})
    load(folder)


def test_names_of_another_family_are_no_prefix(copy_of):
    """BERT's weights beside RoBERTa's config.json need another file, not other names."""
    folder = copy_of("bert")
    edit(folder, "config.json", model_type="roberta")
    error = refused(folder)
    assert f": {FIRST} in place of {FIRST.replace('bert', 'roberta')}, though its" in error.cause
    assert error.remedy == "Give config.json and weights of the same model."


def peft_names(tensors: Tensors) -> Tensors:
    """Name tensors as peft's model has them."""
    return {
        f"base_model.model.{name.replace('query.', 'query.base_layer.')}": t for name, t in tensors.items()
    }


def lora_inside(tensors: Tensors) -> Tensors:
    """Put matrices of LoRA beside the weights that they change."""
    both = {f"{LAYER}.attention.self.query.lora_{side}.default.weight": torch.ones(2, 2) for side in "AB"}
    return {**tensors, **both}


@pytest.mark.parametrize("change", [peft_names, lora_inside])
def test_an_adapter_that_is_not_merged_is_refused(copy_of, change):
    """Its part of what was learnt would be dropped in silence."""
    folder = copy_of("bert")
    rewrite(folder, change)
    error = refused(folder)
    assert "hold an adapter of peft that is not merged into its model: " in error.cause
    assert f"{LAYER}.attention.self.query." in error.cause
    assert "merge_and_unload" in error.remedy


def test_layers_that_would_be_dropped_are_refused(copy_of):
    """A config.json with fewer layers than the weights; with its own number, the remedy, it loads."""
    folder = copy_of("bert")
    layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    edit(folder, "config.json", num_hidden_layers=1)
    error = refused(folder)
    assert f"have {layers} layers, and its config.json says num_hidden_layers=1: " in error.cause
    assert f"Write num_hidden_layers={layers} into its config.json." in error.remedy
    edit(folder, "config.json", num_hidden_layers=layers)
    load(folder)


def test_the_field_of_layers_is_the_familys(copy_of):
    """DistilBERT calls it n_layers."""
    folder = copy_of("distilbert")
    edit(folder, "config.json", n_layers=1)
    assert "n_layers=1: " in refused(folder).cause


@pytest.mark.parametrize("cut", ["", "bert."])
@pytest.mark.parametrize("name", ["output.adapters.a.adapter_up.weight", "output.gate.weight"])
def test_other_parts_of_the_encoder_are_refused(copy_of, name, cut):
    """Adapters within layers, for instance, whether names begin with the encoder's or not."""
    folder = copy_of("bert")
    rewrite(folder, lambda tensors: {n.removeprefix(cut): t for n, t in tensors.items()})
    rewrite(folder, lambda tensors: {**tensors, f"{LAYER}.{name}".removeprefix(cut): torch.ones(2)})
    assert "has no use for 1 of the encoder's tensors" in refused(folder).cause


@pytest.mark.parametrize("positions", [20, 600])
def test_a_table_of_positions_of_another_length(copy_of, positions):
    """Both lengths and the field are named, and the remedy helps."""
    folder = copy_of("bert")
    has = json.loads((folder / "config.json").read_text())["max_position_embeddings"]
    edit(folder, "config.json", max_position_embeddings=positions)
    error = refused(folder)
    table = "bert.embeddings.position_embeddings.weight"
    width = json.loads((folder / "config.json").read_text())["hidden_size"]
    assert f"{table} is {has} × {width} there, and has to be {positions} × {width} by" in error.cause
    assert f"max_position_embeddings={positions}." in error.cause
    assert error.remedy.startswith(f"Write max_position_embeddings={has} into config.json, ")
    edit(folder, "config.json", max_position_embeddings=has)
    load(folder)


def test_other_tensors_are_logged_once_and_heads_are_not(copy_of, caplog):
    """What is neither the encoder's nor a head's is named; it changes nothing that is trained."""
    folder = copy_of("bert")
    rewrite(folder, lambda tensors: {**tensors, "sop_classifier.weight": torch.ones(2)})
    with caplog.at_level(logging.INFO):
        load(folder)
        assert "not used" not in caplog.text
        rewrite(folder, lambda tensors: {**tensors, "crf.transitions": torch.ones(2)})
        load(folder)
        load(folder)
    assert caplog.text.count("1 tensor(s) of its weights are not used, such as crf.transitions") == 1


@pytest.mark.parametrize("family", ["albert", "deberta-v2", "electra", "funnel", "xlm", "xmod"])
def test_heads_and_decoders_of_pretraining_are_not_missed(tmp_path, caplog, family):
    """Parts that only the task of pretraining has are dropped as ever, in silence."""
    with caplog.at_level(logging.INFO):
        load(make_encoder(tmp_path / "model", family))
    assert "not used" not in caplog.text
