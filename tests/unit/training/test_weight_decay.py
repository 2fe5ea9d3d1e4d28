"""Weight decay, for every family that transformers can classify with."""

import types
from typing import Any, cast

import pytest
import transformers

from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.optimizer import build_optimizer
from bert_classifier.training.state.fingerprint import run_fingerprint
from support.empty_models import FAMILIES, build
from support.encoders import make_encoder
from support.toy_trainer import make_trainer


def decaying(model: Any) -> set[str]:
    """Return the names of the parameters in the optimizer's groups with weight decay."""
    groups = build_optimizer(model, 1e-3, 0.01, 1.0).param_groups
    found = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in found}


def theirs(model: Any) -> set[str]:
    """Return the names of the parameters that transformers' Trainer would give weight decay."""
    return {*transformers.Trainer.get_decay_parameter_names(cast(Any, None), model)}


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"roberta-prelayernorm"}))
def test_what_decays_is_what_decays_in_transformers(family):
    """Neither norms nor biases, whatever a family calls them and be they tables, as MPNet's of relative positions."""
    model = build(family)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert decaying(model) == theirs(model) & learning


def test_a_family_whose_name_reads_as_a_norm_decays_like_roberta():
    """Every parameter's name begins with roberta_prelayernorm: transformers takes the encoder for one norm."""
    model = build("roberta-prelayernorm")
    assert not [name for name in theirs(model) if name.startswith("roberta_prelayernorm.")]
    of_roberta = {name.removeprefix("roberta.") for name in decaying(build("roberta"))}
    found = {name.removeprefix("roberta_prelayernorm.") for name in decaying(model)}
    assert found == of_roberta


@pytest.mark.parametrize(
    ("family", "weight_decay", "field"),
    [("bert", 0.01, None), ("mpnet", 0.01, "without biases"), ("mpnet", 0.0, None)],
)
def test_a_run_whose_tables_of_biases_decayed_is_another_run(tmp_path, family, weight_decay, field):
    """What an earlier version began with other groups is not gone on with."""
    folder = make_encoder(tmp_path, family)
    trainer = make_trainer(folder, weight_decay=weight_decay)
    prepared: Any = types.SimpleNamespace(
        labels=["a", "b"], pairs={}, fingerprints={"train": "a", "validation": "b"}
    )
    found = run_fingerprint(trainer, prepared, load_tokenizer(str(folder)))
    assert found.get("weight_decay_groups") == field
