"""The engine computes what transformers does, for every family that it has, also in int8 up to its rounding."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.families import can_compute, is_of_layers
from bert_classifier.engine.linear import Int8Linear, PlainLinear, float_linear, steps_of_int8
from bert_classifier.engine.model import _LINEAR, EngineForward, EngineModel
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.int8_rounding import STEPS
from bert_classifier.modeling.mean_layer import add_mean_layer
from support.engine_models import FAMILIES, KINDS, LONGEST, PAD, make_model
from support.weights import saved_tensors

LENGTHS = np.array([3, 40, 1, 7, 90, 2])


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


def engine_of(model: Any, precision: str, *, is_compiled: bool = True) -> EngineModel:
    """Return the engine's model with the tensors of transformers' model; skip what this CPU does not compute."""
    if precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU has no AVX-512, by which the engine computes bf16")
    assert can_compute(model.config.to_dict())
    tensors = saved_tensors(model)
    return EngineModel(model.config.to_dict(), tensors, precision, is_compiled=is_compiled).eval()


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
    by_python = engine_of(model, "fp32", is_compiled=False)
    torch.testing.assert_close(of_engine(by_python), expected, rtol=1e-5, atol=1e-5)
    for row in (1, 2, 4):
        torch.testing.assert_close(of_engine(engine, [row]), expected[[row]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["gte", "jina_embeddings_v3", "nomic_bert"])
def test_tensors_may_have_the_names_of_modules(kind):
    """As in artifacts from checkpoints that came so: transformers renames when it saves only what it renamed before."""
    model = make_model(kind)
    config, tensors = model.config.to_dict(), model.state_dict()
    of_layers = {name for name in tensors if is_of_layers(name, config)}
    assert of_layers == {name for name in tensors if ".layers." in name}
    assert not of_layers & saved_tensors(model).keys()
    engine = EngineModel(config, tensors, "fp32").eval()
    torch.testing.assert_close(of_engine(engine), alone(model, make_texts()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "kind",
    [
        "albert",
        "eurobert",
        "gte",
        "jina_embeddings_v3",
        "modernbert",
        "mpnet",
        "nomic_bert",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta-xl",
    ],
)
def test_a_text_may_have_all_positions(kind):
    """The longest one that the model takes is computed as by transformers; one token more is refused."""
    model = make_model(kind)
    engine = engine_of(model, "fp32")
    length = LONGEST - (0 if engine.padding is None else engine.padding + 1)
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, 90, (1, length)))
    engine.check_room(99, length)
    with torch.inference_mode():
        torch.testing.assert_close(engine(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="max_seq_length"):
        engine.check_room(99, length + 1)


@pytest.mark.parametrize(
    "kind", ["albert", "bert", "ernie", "gte", "jina_embeddings_v3", "nomic_bert", "xlm-roberta-xl"]
)
def test_token_types_are_those_of_transformers(kind):
    """Tokens of a pair's second text have the embedding of the second type, wherever it begins."""
    model = make_model(kind, type_vocab_size=2)
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
    for part in ("_attended", "_networks.0._up", "_networks.0._down"):
        assert len({layer.get_submodule(part)._weight.data_ptr() for layer in layers}) == 1


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
        "gte",
        "jina_embeddings_v3",
        "modernbert",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xmod",
    ],
)
def test_compiled_it_computes_the_same_bits(monkeypatch, family, precision):
    """torch.jit runs the pass as Python does: for texts together and alone, in one group of tokens and in several."""
    model = make_model(family)
    compiled = engine_of(model, precision)
    monkeypatch.setattr("bert_classifier.engine.classifier._compiled", lambda module, **_: module)
    by_python = engine_of(model, precision)
    assert isinstance(compiled._row._pass, torch.jit.ScriptModule)
    assert not isinstance(by_python._row._pass, torch.jit.ScriptModule)
    calls_layers = 'prim::CallMethod[name="forward"]' in str(compiled._row._pass.graph)
    assert calls_layers == (precision != "int8")
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
