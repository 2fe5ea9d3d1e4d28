"""The engine computes what transformers does, for every family that it has, also in int8 up to its rounding."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.families import can_compute, why_not
from bert_classifier.engine.linear import Int8Linear, PlainLinear, float_linear, steps_of_int8
from bert_classifier.engine.model import _LINEAR, EngineForward, EngineModel
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.int8_rounding import STEPS
from bert_classifier.modeling.mean_layer import add_mean_layer
from support.weights import saved_tensors

_ODD_BIASES = {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True}
KINDS: dict[str, dict[str, Any]] = {  # settings beside the usual ones
    **{
        kind: {}
        for kind in ("bert", "camembert", "data2vec-text", "electra", "mpnet", "nomic_bert", "roberta")
    },
    "ernie": {"use_task_id": True},
    "xlm-roberta": {},
    "albert": {"embedding_size": 16},
    "albert in groups": {
        "embedding_size": 16,
        "num_hidden_groups": 2,
        "inner_group_num": 2,
        "hidden_act": "gelu",
    },
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    "distilbert with a field that it does not read": {
        "dim": 32,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 48,
        "layer_norm_eps": 0.1,
    },
    "electra with a projection": {"embedding_size": 16},
    "eurobert": {},
    "eurobert by its first token": {"classifier_pooling": "bos", "num_key_value_heads": 2},
    "eurobert with a field that it does not read": {"layer_types": ["full_attention"] * 3},
    "eurobert by its mean": {"classifier_pooling": "mean", "attention_bias": True},
    "modernbert": {"local_attention": 16, "global_attn_every_n_layers": 2},
    "modernbert that ends locally": {"local_attention": 16},
    "modernbert as mmBERT has it": {"local_attention": 16, "position_embedding_type": "sans_pos"},
    "modernbert by its mean": {"local_attention": 16, "classifier_pooling": "mean", **_ODD_BIASES},
}
FAMILIES = tuple(kind for kind in KINDS if " " not in kind)
PAD = 1
LENGTHS = np.array([3, 40, 1, 7, 90, 2])
_LONGEST = 100  # positions; RoBERTa's begin behind the padding


def make_model(kind: str, **settings: Any) -> Any:
    """Return a random classifier of a kind, large enough in its weights that texts differ."""
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), PAD)
    config_class: Any = CONFIG_MAPPING[kind.split()[0]]
    usual = {} if kind.startswith("distilbert") else size
    config = config_class(
        vocab_size=100, max_position_embeddings=_LONGEST, initializer_range=0.3, num_labels=3,
        **ids, **usual, **KINDS[kind], **settings,
    )  # fmt: skip
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    for (
        name,
        parameter,
    ) in model.named_parameters():  # biases and norms begin as 0 and 1, which hides mistakes
        if parameter.dim() == 1 and "classifier" not in name:
            torch.nn.init.normal_(parameter, float(parameter.detach()[0]), 0.1)
    return model.eval()


def make_texts() -> EncodedTexts:
    """Return random texts of these lengths; one spells the padding token."""
    ends = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.random.default_rng(0).integers(5, 90, ends[-1]).astype(np.int32)
    ids[[10, 60]] = PAD
    return EncodedTexts(ids, ends, np.zeros(len(LENGTHS), dtype=bool))


def alone(model: Any, texts: EncodedTexts) -> torch.Tensor:
    """Return the logits of transformers for each text in a pass of its own."""
    ids = [texts.ids[begin:end].astype(np.int64) for begin, end in itertools.pairwise(texts.offsets)]
    with torch.inference_mode():
        return torch.cat([model(input_ids=torch.as_tensor(text)[None]).logits for text in ids])


def engine_of(model: Any, precision: str) -> EngineModel:
    """Return the engine's model with the tensors of transformers' model; skip what this CPU does not compute."""
    if precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU has no AVX-512, by which the engine computes bf16")
    assert can_compute(model.config.to_dict())
    return EngineModel(model.config.to_dict(), saved_tensors(model), precision).eval()


def of_engine(engine: EngineModel, rows: Any = slice(None)) -> torch.Tensor:
    """Return the engine's logits for some texts in one pass."""
    with torch.inference_mode():
        return EngineForward(engine)(make_texts(), np.arange(len(LENGTHS))[rows])


@pytest.mark.parametrize("kind", [*KINDS, "bert with a mean layer"])
def test_the_engine_computes_what_transformers_does(kind):
    """All texts in one pass of the engine, and some alone, each alone in transformers."""
    model = make_model("bert" if "layer" in kind else kind)
    if "layer" in kind:
        add_mean_layer(model, "encoder")
    expected, engine = alone(model, make_texts()), engine_of(model, "fp32")
    assert expected.std(dim=0).min() > 0.01, "texts that all look alike would prove nothing"
    torch.testing.assert_close(of_engine(engine), expected, rtol=1e-5, atol=1e-5)
    for row in (1, 2, 4):
        torch.testing.assert_close(of_engine(engine, [row]), expected[[row]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["albert", "eurobert", "modernbert", "mpnet", "nomic_bert", "roberta"])
def test_a_text_may_have_all_positions(kind):
    """The longest one that the model takes is computed as by transformers; one token more is refused."""
    model = make_model(kind)
    engine = engine_of(model, "fp32")
    length = _LONGEST - (0 if engine.padding is None else engine.padding + 1)
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, 90, (1, length)))
    engine.check_room(99, length)
    with torch.inference_mode():
        torch.testing.assert_close(engine(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="max_seq_length"):
        engine.check_room(99, length + 1)


@pytest.mark.parametrize("kind", ["albert", "bert", "ernie", "nomic_bert"])
def test_token_types_are_those_of_transformers(kind):
    """Tokens of a pair's second text have the embedding of the second type, wherever it begins."""
    model = make_model(kind)
    config, tensors = model.config.to_dict(), saved_tensors(model)
    engine = EngineModel(config, tensors, "fp32", has_token_types=True).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, 90, (3, 20)))
    types = (torch.arange(20) >= torch.tensor([[5], [12], [20]])).long()
    with torch.inference_mode():
        expected = model(ids, token_type_ids=types).logits
        found = engine(ids, token_type_ids=types).logits
        assert not torch.allclose(expected, model(ids).logits, atol=1e-3)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_layers_that_are_the_same_are_held_once(monkeypatch):
    """ALBERT's twelve layers are one: only the last one's queries, keys and values are there a second time."""
    monkeypatch.setitem(_LINEAR, "fp32", PlainLinear)
    layers: Any = engine_of(make_model("albert"), "fp32")._row._pass._layers
    for part in ("_attended", "_up", "_down"):
        assert len({getattr(layer, part)._weight.data_ptr() for layer in layers}) == 1


def test_as_a_model_it_takes_padding_as_transformers_does():
    """Whoever calls it with ids and a mask gets the same logits."""
    model = make_model("roberta")
    engine, rows = engine_of(model, "fp32"), np.array([0, 1, 4])
    theirs, ours = (Forward(each, PAD, torch.device("cpu"), "fp32") for each in (model, engine))
    with torch.inference_mode():
        torch.testing.assert_close(ours(make_texts(), rows), theirs(make_texts(), rows), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("precision", "most"), [("int8", 0.2), ("bf16", 0.05)])
@pytest.mark.parametrize("family", FAMILIES)
def test_rounding_is_near_and_texts_do_not_change_each_other(family, precision, most):
    """Rounding costs some percent of the logits' spread; the other texts of a pass only the order of sums."""
    model = make_model(family)
    engine = engine_of(model, precision)
    together, expected = of_engine(engine), alone(model, make_texts())
    if steps_of_int8() == STEPS[7]:
        most *= 2  # a bit less is twice the rounding
    assert float((together - expected).norm() / (expected - expected.mean(dim=0)).norm()) < most
    assert not torch.allclose(together, expected, rtol=1e-5, atol=1e-5)
    for row in range(len(LENGTHS)):
        torch.testing.assert_close(of_engine(engine, [row])[0], together[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize(
    "family",
    [
        "albert",
        "distilbert",
        "electra with a projection",
        "eurobert by its first token",
        "modernbert",
        "mpnet",
        "roberta",
    ],
)
def test_compiled_it_computes_the_same_bits(monkeypatch, family, precision):
    """torch.jit runs the pass as Python does: for texts together and alone, in one group of tokens and in several."""
    model = make_model(family)
    compiled = engine_of(model, precision)
    monkeypatch.setattr("bert_classifier.engine.classifier._compiled", lambda module: module)
    by_python = engine_of(model, precision)
    assert isinstance(compiled._row._pass, torch.jit.ScriptModule)
    assert not isinstance(by_python._row._pass, torch.jit.ScriptModule)
    for tokens, rows in itertools.product((4, 160), (slice(None), [1], [2])):
        monkeypatch.setattr("bert_classifier.engine.classifier._TOKENS_OF_A_CORE", tokens)
        assert torch.equal(of_engine(compiled, rows), of_engine(by_python, rows))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_groups_of_tokens_change_nothing(monkeypatch, precision):
    """What follows attention is computed for some tokens at a time, whatever text they are of."""
    engine = engine_of(make_model("bert"), precision)
    together = of_engine(engine)
    monkeypatch.setattr("bert_classifier.engine.classifier._TOKENS_OF_A_CORE", 4)
    torch.testing.assert_close(
        of_engine(engine), together, rtol=1e-4, atol=1e-2 if precision == "bf16" else 1e-5
    )


@pytest.mark.parametrize("steps", [127, 255])
def test_a_layer_in_int8_is_off_by_its_rounding_alone(monkeypatch, steps):
    """For tokens of any size, zeros among them; an error of half a step of each value bounds the product's."""
    if steps > steps_of_int8():
        pytest.skip("this CPU has no VNNI, and 8 bits would overflow")
    monkeypatch.setattr("bert_classifier.engine.linear.steps_of_int8", lambda: steps)
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 64), torch.randn(24)
    x = torch.randn(10, 64) * torch.logspace(-4, 4, 10)[:, None]
    x[3] = 0.0
    exact, rounded = (make(weight, bias)(x) for make in (float_linear, Int8Linear))
    largest, heaviest = x.abs().amax(dim=1, keepdim=True), weight.abs().amax(dim=1) / 127
    bound = largest / steps * weight.abs().sum(dim=1) * 1.01 + x.abs().sum(dim=1, keepdim=True) * heaviest / 2
    assert ((rounded - exact).abs() <= bound * 1.02 + 1e-5).all()
    torch.testing.assert_close(rounded[3], bias)


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
        ("modernbert", {"layer_types": None}, "its config.json has rope_parameters="),
        ("modernbert", {"layer_types": [["full_attention"]] * 3}, "its config.json has rope_parameters="),
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
    ],
)
def test_what_the_engine_does_not_know_is_left_to_transformers(family, settings, said):
    """Another family, activation, pooling or kind of positions, by its name."""
    config = make_model(family).config.to_dict()
    assert can_compute(config)
    assert not can_compute({**config, **settings})
    assert said in why_not({**config, **settings})


def greedy(ids: torch.Tensor, positions: torch.Tensor, lengths: list[int], most: int) -> torch.Tensor:
    """Ask for more memory than any machine has, in place of a pass."""
    return torch.zeros(100_000_000, 10_000_000) + ids.sum() + positions.sum() + len(lengths) + most


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_errors_are_those_of_the_operators():
    """A token that the model does not have is an IndexError, memory that has run out says so, each in one line."""
    engine = engine_of(make_model("bert"), "fp32")
    row = torch.arange(3)
    with torch.inference_mode(), pytest.raises(IndexError, match=r"^index out of range in self$"):
        engine.row(row + 100, row, [3])
    with torch.inference_mode(), pytest.raises(RuntimeError, match=r"^Expected tensor"):
        engine.row(row.float(), row, [3])
    setattr(engine._row, "_pass", torch.jit.script(greedy))  # noqa: B010 - a function in place of a module
    with pytest.raises(RuntimeError, match=r"^\[enforce fail.*can't allocate memory"):
        engine.row(row, row, [3])
