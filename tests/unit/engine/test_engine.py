"""The engine computes what transformers does, for every family that it has, also in int8 up to its rounding."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.engine.linear import Int8Linear, float_linear, steps_of_int8
from bert_classifier.engine.model import EngineForward, EngineModel
from bert_classifier.engine.tensors import can_compute
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.int8_rounding import STEPS
from bert_classifier.modeling.mean_layer import add_mean_layer

FAMILIES = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
PAD = 1
LENGTHS = np.array([3, 40, 1, 7, 90, 2])


def make_model(family: str, **settings: Any) -> Any:
    """Return a random classifier of a family, large enough in its weights that texts differ."""
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    if family == "distilbert":
        size = {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}
    config_class: Any = CONFIG_MAPPING[family]
    config = config_class(
        vocab_size=100, max_position_embeddings=200, initializer_range=0.3, num_labels=3, pad_token_id=PAD,
        **size, **settings,
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
    return EngineModel(model.config.to_dict(), model.state_dict(), precision).eval()


def of_engine(engine: EngineModel, rows: Any = slice(None)) -> torch.Tensor:
    """Return the engine's logits for some texts in one pass."""
    with torch.inference_mode():
        return EngineForward(engine)(make_texts(), np.arange(len(LENGTHS))[rows])


@pytest.mark.parametrize("kind", [*FAMILIES, "electra with a projection", "bert with a mean layer"])
def test_the_engine_computes_what_transformers_does(kind):
    """All texts in one pass of the engine, each alone in transformers."""
    settings = {"embedding_size": 16} if "projection" in kind else {}
    model = make_model(kind.split()[0], **settings)
    if "mean" in kind:
        add_mean_layer(model, "encoder")
    expected = alone(model, make_texts())
    assert expected.std(dim=0).min() > 0.01, "texts that all look alike would prove nothing"
    torch.testing.assert_close(of_engine(engine_of(model, "fp32")), expected, rtol=1e-5, atol=1e-5)


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
@pytest.mark.parametrize("family", ["distilbert", "electra with a projection", "roberta"])
def test_compiled_it_computes_the_same_bits(monkeypatch, family, precision):
    """torch.jit runs the pass as Python does: for texts together and alone, in one group of tokens and in several."""
    model = make_model(family.split()[0], **({"embedding_size": 16} if "projection" in family else {}))
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


@pytest.mark.parametrize(
    "settings",
    [{"model_type": "modernbert"}, {"hidden_act": "gelu_new"}, {"position_embedding_type": "relative_key"}],
)
def test_what_the_engine_does_not_know_is_left_to_transformers(settings):
    """Another family, activation or kind of positions."""
    config = make_model("bert").config.to_dict()
    assert can_compute(config)
    assert not can_compute({**config, **settings})


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
