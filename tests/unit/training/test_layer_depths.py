"""Depths of parameters below the head, for every family of encoders that transformers can classify with."""

import re
import types
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import freeze_encoder
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.layer_depths import depths_match_names, layer_depths
from bert_classifier.training.optimizer import build_optimizer
from bert_classifier.training.state.fingerprint import run_fingerprint
from support.clear_text import assert_clear
from support.empty_models import FAMILIES, LAYERS, build
from support.encoders import make_encoder
from support.fakes import make_pretrained
from support.toy_trainer import make_trainer

DECAY = 0.8
# Their layers share weights (ALBERT), or they have none in the sense of the word (Perceiver).
REFUSED = {"albert", "perceiver"}
# Of a layer, in all families but Funnel.
_NUMBER = re.compile(r"\.(?:layers?|attentions|layer_norm[12]|ffns)\.(\d+)\.")
# What stands before the layers, or is looked up by all of them.
_LOW = re.compile(
    r"embeddings?[._]|embed_tokens|embed_positions|layer_norm_emb|embedding_hidden_mapping|relative_attention_bias"
)


def learning_rates(model: Any) -> dict[str, float]:
    """Return the factor of the learning rate by parameter, from the groups of the optimizer."""
    groups = build_optimizer(model, 1e-3, 0.01, DECAY).param_groups
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    return {name: scales[id(p)] for name, p in model.named_parameters() if p.requires_grad}


def expected_rate(name: str, prefix: str) -> float:
    """Return what a parameter's name says to a person who knows the families."""
    number = _NUMBER.search(f".{name}")
    if number:
        return DECAY ** (LAYERS - 1 - int(number[1]))
    return DECAY**LAYERS if name.startswith(prefix) and _LOW.search(name) else 1.0


@pytest.mark.parametrize("family", sorted({*FAMILIES} - REFUSED - {"funnel"}))
def test_the_groups_of_every_family(family):
    """Top layer, norms above it, pooler and head learn at the full rate, each layer at d times that of the next."""
    model = build(family)
    rates = learning_rates(model)
    expected = {name: expected_rate(name, model.base_model_prefix) for name in rates}
    assert rates == pytest.approx(expected)
    assert {round(rate, 6) for rate in rates.values()} == {1.0, 0.8, 0.64, 0.512}


def test_layers_in_blocks_count_on():
    """Funnel holds its layers in lists within a list."""
    depths = layer_depths(build("funnel", block_sizes=[2, 1]))
    found = {
        depths[f"funnel.encoder.blocks.{block}.attention.q_head.weight"] for block in ("0.0", "0.1", "1.0")
    }
    assert found == {0, 1, 2}
    assert depths["funnel.encoder.blocks.0.0.attention.q_head.weight"] == 2
    assert depths["funnel.embeddings.word_embeddings.weight"] == 3


@pytest.mark.parametrize("family", sorted(REFUSED))
def test_a_family_without_layers_of_their_own_is_refused(family):
    """A setting that could do nothing is no setting to accept."""
    model = build(family)
    with pytest.raises(
        UserError, match=f"layer_decay cannot be applied to an encoder of type {family}"
    ) as caught:
        build_optimizer(model, 1e-3, 0.01, DECAY)
    assert_clear(caught.value)
    assert [group["lr_scale"] for group in build_optimizer(model, 1e-3, 0.01, 1.0).param_groups] == [1.0, 1.0]


def test_albert_with_a_group_for_each_layer_has_layers():
    """Whether weights are shared is a matter of the checkpoint, not of the family's name."""
    model = build("albert", num_hidden_groups=LAYERS)
    assert set(layer_depths(model).values()) == {0, 1, 2, 3}


def groups_by_names(model: Any) -> list[tuple[float, float, list[str]]]:
    """Return the groups as they were when the depths were read from names: their order decides the bits."""
    layers = {n: int(m[1]) for n, _ in model.named_parameters() if (m := re.search(r"\.layer\.(\d+)\.", n))}
    groups: dict[tuple[float, float], list[str]] = {}
    for name, parameter in model.named_parameters():
        is_embedding = re.search(r"(^|\.)embeddings(_project)?\.", name)
        depth = LAYERS if is_embedding else LAYERS - 1 - layers.get(name, LAYERS - 1)
        groups.setdefault((DECAY**depth, 0.01 if parameter.ndim > 1 else 0.0), []).append(name)
    return [(*key, names) for key, names in groups.items()]


@pytest.mark.parametrize(
    "family",
    ["bert", "roberta", "distilbert", "electra", "xlm-roberta", "camembert", "megatron-bert", "deberta-v2",
     "mobilebert", "fnet", "ernie", "big_bird", "longformer"],
)  # fmt: skip
def test_families_recognised_by_names_keep_their_groups(family):
    """The same parameters in the same groups in the same order: their checkpoints resume, bit for bit."""
    model = build(family, **({"relative_attention": False} if family == "deberta-v2" else {}))
    assert depths_match_names(model)
    names = {id(p): name for name, p in model.named_parameters()}
    groups = build_optimizer(model, 1e-3, 0.01, DECAY).param_groups
    found = [(g["lr_scale"], g["weight_decay"], [names[id(p)] for p in g["params"]]) for g in groups]
    assert found == groups_by_names(model)


@pytest.mark.parametrize(
    ("family", "is_told"), [("bert", True), ("roformer", True), ("modernbert", False), ("mpnet", False)]
)
def test_the_run_of_another_rule_is_another_run(family, is_told):
    """What an earlier version trained at one rate for all layers is not gone on with at others."""
    assert depths_match_names(build(family)) == is_told


def make_modernbert(folder: Path) -> Path:
    """Save a tiny random ModernBERT with its tokenizer, and return the folder."""
    return make_encoder(folder, "modernbert", num_hidden_layers=LAYERS)


def make_deberta(folder: Path) -> Path:
    """Save a tiny random DeBERTa-v2, whose table of relative positions is normalised, and return the folder."""
    return make_encoder(folder, "deberta-v2")


@pytest.mark.parametrize(
    ("make", "layer_decay", "field"),
    [
        (make_deberta, 0.9, "by computation"),
        (make_deberta, 1.0, None),
        (make_modernbert, 0.9, "by module"),
        (make_modernbert, 1.0, None),
        (make_pretrained, 0.9, None),
        (make_pretrained, 1.0, None),
    ],
)
def test_only_a_run_that_learns_otherwise_has_another_identity(tmp_path, make, layer_decay, field):
    """A BERT's checkpoints resume whatever its layer_decay, a ModernBERT's if it has none."""
    folder = make(tmp_path / "encoder")
    trainer = make_trainer(folder, layer_decay=layer_decay)
    data = {"train": "a", "validation": "b"}
    prepared: Any = types.SimpleNamespace(labels=["a", "b", "c"], pairs={}, fingerprints=data)
    assert run_fingerprint(trainer, prepared, load_tokenizer(str(folder))).get("layer_depths") == field


def test_a_modernbert_learns_layer_by_layer(tmp_path):
    """A step of the real trainer moves the lower layers less: AdamW's first step is as long as its learning rate."""
    trainer = make_trainer(
        make_modernbert(tmp_path / "encoder"), layer_decay=0.5, weight_decay=0.0, learning_rate=1e-2
    )
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train_step(0)
    moved = {
        name: float((p.detach() - before[name]).abs().max()) for name, p in trainer.model.named_parameters()
    }
    top = moved["classifier.weight"]
    found = [moved[f"model.layers.{number}.mlp.Wo.weight"] / top for number in range(LAYERS)]
    assert found == pytest.approx([0.25, 0.5, 1.0], rel=0.02)
    assert moved["model.embeddings.tok_embeddings.weight"] / top == pytest.approx(0.125, rel=0.02)


def test_a_decay_over_frozen_layers_is_reported(caplog):
    """freeze_encoder leaves nothing for layer_decay to do."""
    model = build("bert")
    freeze_encoder(model)
    build_optimizer(model, 1e-3, 0.01, DECAY)
    assert "layer_decay=0.8 has no effect" in caplog.text


@pytest.mark.parametrize(
    "family", sorted({*FAMILIES} - {"perceiver"})
)  # it has no tokenizer that is used here
def test_freezing_leaves_the_head_and_no_layer(family):
    """freeze_encoder reaches every family's encoder, and only that."""
    model = build(family)
    freeze_encoder(model)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert model.base_model is not model
    assert learning
    assert not [n for n in learning if n.startswith(f"{model.base_model_prefix}.") and ".pooler." not in n]
