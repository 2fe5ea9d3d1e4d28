"""Which config.json the engine computes, and what it says of the others."""

import pytest
from transformers import ModernBertConfig

from bert_classifier.engine import families
from bert_classifier.engine.families import can_compute, layer_kinds, why_not
from bert_classifier.engine.tensors import read_classifier
from bert_classifier.modeling.layer_names import NAMES_IN_FILES
from support.engine_models import FAMILIES, make_model
from support.weights import saved_tensors

_SCALED = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}


@pytest.mark.parametrize(
    ("family", "settings", "said"),
    [
        ("bert", {"model_type": "big_bird"}, "it is of type big_bird"),
        ("bert", {"model_type": None}, "it is of type None"),
        ("bert", {"hidden_act": "quick_gelu"}, "its config.json has hidden_act=quick_gelu"),
        (
            "bert",
            {"position_embedding_type": "relative_key"},
            "its config.json has position_embedding_type=relative",
        ),
        ("bert", {"is_decoder": True}, "its config.json has is_decoder=True"),
        ("distilbert", {"activation": "relu"}, "its config.json has activation=relu"),
        ("modernbert", {"hidden_activation": "relu"}, "its config.json has hidden_activation=relu"),
        ("modernbert", {"classifier_activation": "relu"}, "its config.json has classifier_activation=relu"),
        ("modernbert", {"classifier_pooling": "max"}, "its config.json has classifier_pooling=max"),
        ("modernbert", {"rope_parameters": None}, "its config.json has rope_parameters=None"),
        ("modernbert", {"rope_parameters": {"full_attention": 1.0}}, "its config.json has rope_parameters="),
        ("modernbert", {"layer_types": [["full_attention"]] * 3}, "its config.json has layer_types=[["),
        ("modernbert", {"layer_types": "full_attention"}, "its config.json has layer_types=full_attention"),
        (
            "modernbert",
            {"layer_types": None, "global_attn_every_n_layers": 0},
            "its config.json has global_attn_every_n_layers=0",
        ),
        (
            "modernbert",
            {"layer_types": None, "global_attn_every_n_layers": None},
            "its config.json has global_attn_every_n_layers=None",
        ),
        (
            "modernbert",
            {"layer_types": None, "rope_parameters": None},
            "its config.json has rope_parameters=None",
        ),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": _SCALED, "sliding_attention": _SCALED}},
            "linear",
        ),
        (
            "nomic_bert",
            {"rope_parameters": _SCALED},
            "its config.json has rope_parameters={'rope_type': 'linear'",
        ),
        ("gte", {"hidden_act": "relu"}, "its config.json has hidden_act=relu"),
        ("gte", {"rope_parameters": _SCALED}, "its config.json has rope_parameters={'rope_type': 'linear'"),
        ("jina_embeddings_v3", {"hidden_act": "relu"}, "its config.json has hidden_act=relu"),
        ("jina_embeddings_v3", {"rope_parameters": None}, "its config.json has rope_parameters=None"),
        ("roberta-prelayernorm", {"is_decoder": True}, "its config.json has is_decoder=True"),
        ("xmod", {"pre_norm": True}, "its config.json has pre_norm=True"),
        ("xmod", {"adapter_layer_norm": True}, "its config.json has adapter_layer_norm=True"),
        ("xmod", {"adapter_reuse_layer_norm": False}, "its config.json has adapter_reuse_layer_norm=False"),
        ("xmod", {"ln_before_adapter": False}, "its config.json has ln_before_adapter=False"),
        ("xmod", {"default_language": None}, "its config.json has default_language=None"),
        ("xmod", {"default_language": "fr_XX"}, "its config.json has default_language=fr_XX"),
        ("xmod", {"languages": 2}, "its config.json has default_language=en_XX"),
        (
            "xlm-roberta-xl",
            {"position_embedding_type": "relative_key"},
            "its config.json has position_embedding_type=relative",
        ),
    ],
)
def test_what_the_engine_does_not_know_is_left_to_transformers(family, settings, said):
    """Another family, activation, pooling or kind of positions, by its name."""
    config = make_model(family).config.to_dict()
    assert can_compute(config)
    assert not can_compute({**config, **settings})
    assert said in why_not({**config, **settings})


@pytest.mark.parametrize("family", FAMILIES)
def test_no_norm_is_missed_silently(family):
    """A checkpoint without one is refused; only ModernBERT and EuroBERT may lack the first layer's first one."""
    model = make_model(family)
    config, tensors = model.config.to_dict(), saved_tensors(model)
    encoder, names = families.FAMILIES[family].encoder, NAMES_IN_FILES[family]
    first = names.paths(config)[0]
    for part in (names.attention_norm, names.norm):
        name = f"{encoder}.{first}.{part}.weight"
        fewer = {each: tensor for each, tensor in tensors.items() if each != name}
        if part == names.attention_norm and family in ("eurobert", "modernbert"):
            read_classifier(config, fewer)
            continue
        assert name in tensors
        with pytest.raises(KeyError, match=first):
            read_classifier(config, fewer)


@pytest.mark.parametrize("period", [{}, {"global_attn_every_n_layers": 2}, {"global_attn_every_n_layers": 1}])
@pytest.mark.parametrize("is_null", [False, True])
def test_kinds_of_layers_are_derived_as_by_transformers(period, is_null):
    """A config.json of ModernBERT without layer_types has the period of global attention, or transformers' own."""
    config = {**make_model("modernbert").config.to_dict(), "num_hidden_layers": 7}
    for field in ("layer_types", "global_attn_every_n_layers"):
        config.pop(field)
    config |= {**period, **({"layer_types": None} if is_null else {})}
    assert can_compute(config)
    assert layer_kinds(config) == ModernBertConfig(**config).layer_types
    assert len(layer_kinds(config)) == 7


def test_a_model_of_no_known_size_has_no_kinds():
    """Then reading its tensors fails in a way that leaves it to transformers, and not before."""
    model = make_model("modernbert")
    config = {**model.config.to_dict(), "layer_types": None, "num_hidden_layers": "three"}
    assert can_compute(config)
    with pytest.raises(ValueError, match="three"):
        read_classifier(config, saved_tensors(model))
