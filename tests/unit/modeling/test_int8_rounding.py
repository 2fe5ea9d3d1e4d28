"""The rounding that training measures is that of the engine's int8, with 8 and with 7 bits."""

import copy
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from bert_classifier.engine.linear import Int8Linear
from bert_classifier.engine.model import EngineModel
from bert_classifier.modeling.int8_rounding import (
    STEPS,
    encoder_linears,
    round_values,
    round_weights,
    rounded_to_int8,
)
from bert_classifier.modeling.layer_names import LAYER_NAMES
from bert_classifier.modeling.proof import mean_distance_of
from support.weights import saved_tensors

IDS = torch.arange(5, 95).reshape(6, 15)


def make_model(family: str) -> Any:
    """Return a random classifier of a family whose logits differ from text to text."""
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    if family == "distilbert":
        size = {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 96}
    language = {"default_language": "en_XX"} if family == "xmod" else {}
    config_class: Any = CONFIG_MAPPING[family]
    config = config_class(
        vocab_size=100,
        max_position_embeddings=40,
        initializer_range=0.2,
        num_labels=3,
        pad_token_id=1,
        **size,
        **language,
    )
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    return model.eval()


def logits_of(model: Any) -> torch.Tensor:
    """Return the model's logits of some texts."""
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=IDS).logits
    return logits


def only_where_the_cpu_computes(bits: int) -> None:
    """Skip what this CPU computes with an overflow."""
    if bits == 8 and not torch.cpu._is_vnni_supported():
        pytest.skip("this CPU has no VNNI")


@pytest.mark.parametrize("bits", STEPS)
def test_a_layer_computes_what_the_engines_does(monkeypatch, bits):
    """For tokens of any size, zeros among them: the same whole numbers, up to values on the edge of a step."""
    only_where_the_cpu_computes(bits)
    monkeypatch.setattr("bert_classifier.engine.linear.steps_of_int8", lambda: STEPS[bits])
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 64), torch.randn(24)
    x = torch.randn(1000, 64) * torch.logspace(-4, 4, 1000)[:, None]
    x[3] = 0.0
    ours = torch.nn.functional.linear(round_values(x, STEPS[bits]), round_weights(weight), bias)
    off = (ours - Int8Linear(weight, bias)(x)).abs() / x.abs().amax(dim=1, keepdim=True).clamp(min=1)
    assert (off.amax(dim=1) > 1e-5).sum() < 10
    assert off.max() < 3 / STEPS[bits] * weight.abs().max()
    assert len(round_values(x[:1], STEPS[bits]).unique()) <= STEPS[bits] + 1


@pytest.mark.parametrize("bits", STEPS)
@pytest.mark.parametrize("family", LAYER_NAMES)
def test_a_model_is_as_far_off_as_the_engines(monkeypatch, family, bits):
    """Values on the edge of a step round to either side, so single logits differ, but not how far they are off."""
    only_where_the_cpu_computes(bits)
    monkeypatch.setattr("bert_classifier.engine.linear.steps_of_int8", lambda: STEPS[bits])
    model = make_model(family)
    exact = logits_of(model)
    with rounded_to_int8(model, bits):
        ours = logits_of(model)
    with torch.inference_mode():
        theirs = EngineModel(model.config.to_dict(), saved_tensors(model), "int8")(IDS).logits
    off, theirs_off = mean_distance_of(ours, exact), mean_distance_of(theirs, exact)
    assert 1e-4 < off < 0.2
    assert off / 1.5 < theirs_off < 1.5 * off


def test_fewer_bits_are_farther_off_and_the_model_stays_as_it_was():
    """Afterwards, and after a failure, it computes as before, with the same weights and methods."""
    model = make_model("bert")
    before, exact = copy.deepcopy(model.state_dict()), logits_of(model)
    off = []
    for bits in STEPS:
        with rounded_to_int8(model, bits):
            off.append(mean_distance_of(logits_of(model), exact))
    assert off[0] < off[1]
    with pytest.raises(KeyError), rounded_to_int8(model, 8):
        raise KeyError
    assert torch.equal(logits_of(model), exact)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all("forward" not in vars(layer) for layer in encoder_linears(model))


def test_embeddings_and_head_are_not_rounded():
    """As in the engine: six linear layers of each of the encoder's layers."""
    model = make_model("bert")
    assert len(list(encoder_linears(model))) == 6 * model.config.num_hidden_layers
    others = {id(layer) for layer in model.modules() if isinstance(layer, torch.nn.Linear)}
    assert len(others - {id(layer) for layer in encoder_linears(model)}) == 2
