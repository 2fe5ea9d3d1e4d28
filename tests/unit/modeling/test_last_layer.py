"""The last layer for first tokens only: the same logits and gradients, and no token more than the head reads."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling import packed, packed_attention
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.last_layer import _PARTS, let_last_layer_compute_firsts
from bert_classifier.modeling.mean_layer import add_mean_layer
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.packed_attention import TextLayout, attend_text_by_text
from bert_classifier.modeling.packed_families import PACKED_FAMILIES

CPU = torch.device("cpu")
PAD = 1
LENGTHS = (7, 1, 30, 2, 1, 12)
GLOBAL = {"layer_types": ["sliding_attention", "full_attention"], "classifier_pooling": "cls"}
LOCAL = {"layer_types": ["full_attention", "sliding_attention"], "classifier_pooling": "cls"}
ADAPTERS = {"languages": ["en_XX"], "default_language": "en_XX"}
MEAN = {"classifier_pooling": "mean"}
LAYERS = {family: parts.layers for family, parts in _PARTS.items()}
ROWS = {
    "one text": [2],
    "one of one token": [1],
    "two of one token": [1, 4],
    "several": [5, 0, 3],
    "all": range(len(LENGTHS)),
}


def make_model(family: str, **settings: Any) -> Any:
    """Return a random classifier in float64, large enough in its weights that texts differ; two token types."""
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    if family == "distilbert":
        size = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 2)
    other = {"vocab_size": 100, "max_position_embeddings": 64, "initializer_range": 0.3, "type_vocab_size": 2}
    if family == "modernbert":
        settings = {"local_attention": 8, **(settings or GLOBAL)}
    config_class: Any = CONFIG_MAPPING[family]
    config = config_class(num_labels=3, pad_token_id=PAD, **size, **special, **other, **settings)
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    return model.double().eval()


def make_texts(family: str = "") -> EncodedTexts:
    """Return random texts; of BERT's, the tokens behind the middle are of type 1."""
    ends = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.random.default_rng(0).integers(5, 90, ends[-1]).astype(np.int32)
    seconds = np.array(LENGTHS, dtype=np.int32) // 2 if family == "bert" else None
    return EncodedTexts(ids, ends, np.zeros(len(LENGTHS), dtype=bool), seconds=seconds)


def packed_pass(model: Any) -> PackedForward:
    """Return the padding-free pass with a model."""
    return PackedForward(model, PAD, CPU, "fp32", attend_text_by_text)


def gradients_of(forward: Forward, texts: EncodedTexts, rows: Any) -> dict[str, torch.Tensor]:
    """Return the gradient of a function of the logits, by weight."""
    forward.model.zero_grad()
    (forward(texts, np.array(rows)) ** 2).sum().backward()
    weights = forward.model.named_parameters()
    return {name: weight.grad.to_dense().clone() for name, weight in weights if weight.grad is not None}


def require_same_gradients(model: Any, texts: EncodedTexts, rows: Any) -> None:
    """Compare the gradient of every weight with that of the padded pass."""
    expected = gradients_of(Forward(model, PAD, CPU, "fp32"), texts, rows)
    found = gradients_of(packed_pass(model), texts, rows)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-11, msg=name)


def seen_by_last_layer(model: Any, forward: PackedForward | None = None) -> list[tuple[str, int]]:
    """Return how many tokens the last layer's linear layers compute in a pass over all texts, by name."""
    forward = forward or packed_pass(model)
    layers = model.base_model.get_submodule(LAYERS.get(model.config.model_type, "encoder.layer"))
    seen: list[tuple[str, int]] = []

    def note(name: str) -> Any:
        return lambda _, inputs, __: seen.append((name, inputs[0].numel() // inputs[0].shape[-1]))

    linear = [(name, part) for name, part in layers[-1].named_modules() if isinstance(part, torch.nn.Linear)]
    hooks = [part.register_forward_hook(note(name)) for name, part in linear]
    with torch.inference_mode():
        forward(make_texts(), np.arange(len(LENGTHS)))
    for hook in hooks:
        hook.remove()
    return seen


def tokens_of_last_layer(model: Any) -> set[int]:
    """Return how many tokens they compute."""
    return {tokens for _, tokens in seen_by_last_layer(model)}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("family", sorted(_PARTS))
def test_gradients_are_those_of_the_padded_pass(family, rows):
    """Of every weight, in float64, where only a mistake can make a difference; texts of one token, too."""
    require_same_gradients(make_model(family), make_texts(family), rows)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "electra"])
def test_the_layer_of_the_mean_is_computed_for_first_tokens(family):
    """It reads all tokens by its values, and its gradients are the padded pass's once it is no mean any more."""
    model = make_model(family)
    add_mean_layer(model, "x")
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    require_same_gradients(model, make_texts(family), ROWS["all"])
    assert tokens_of_last_layer(model) == {len(LENGTHS), sum(LENGTHS)}


@pytest.mark.parametrize("family", sorted(_PARTS))
def test_only_keys_and_values_are_of_all_tokens(family):
    """Everything else of the last layer computes one token per text."""
    model, parts = make_model(family), _PARTS[family]
    seen = seen_by_last_layer(model)
    assert {name.split(".")[-1] for name, tokens in seen if tokens == sum(LENGTHS)} == {
        parts.key,
        parts.value,
    }
    assert {tokens for _, tokens in seen} == {len(LENGTHS), sum(LENGTHS)}


@pytest.mark.parametrize(
    ("family", "settings"),
    [("modernbert", MEAN), ("modernbert", LOCAL), ("mpnet", {}), ("xmod", ADAPTERS)],
    ids=["mean", "window", "unknown", "adapters"],
)
def test_elsewhere_the_last_layer_computes_all_tokens(family, settings):
    """A head that reads the mean needs them, and a local layer's window is counted otherwise for fewer queries."""
    assert family in PACKED_FAMILIES
    model = make_model(family, **settings)
    assert tokens_of_last_layer(model) == {sum(LENGTHS)}
    require_same_gradients(model, make_texts(), ROWS["all"])


def test_a_padded_pass_keeps_its_bits():
    """The model is shared: what is attached to it does nothing there."""
    for family in sorted(_PARTS):
        model, rows = make_model(family), np.arange(len(LENGTHS))
        forward = Forward(model, PAD, CPU, "fp32")
        with torch.inference_mode():
            before = forward(make_texts(), rows)
            packed_pass(model)(make_texts(), rows)
            assert torch.equal(forward(make_texts(), rows), before), family


def test_it_is_attached_once():
    """However many passes use a model, and in copies of it."""
    model = make_model("bert")
    forwards = [packed_pass(model), packed_pass(model), packed_pass(copy.deepcopy(model))]
    forwards.append(forwards[0].for_threads())
    for forward in forwards:
        assert let_last_layer_compute_firsts(forward.model)
        assert sum(len(part._forward_pre_hooks) for part in forward.model.modules()) == 1
    rows = np.arange(len(LENGTHS))
    with torch.inference_mode():
        expected, *others = (forward(make_texts(), rows) for forward in forwards)
    assert all(torch.equal(other, expected) for other in others)


def test_dropout_stays_on_in_the_last_layer():
    """The layer's own code computes it: training draws other numbers each time, and the same with one seed."""
    model = make_model("bert").train()
    for layer in model.base_model.encoder.layer[:-1]:
        layer.eval()
    model.dropout.eval()
    model.base_model.embeddings.eval()
    forward = packed_pass(model)

    def logits(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return forward(make_texts(), np.arange(len(LENGTHS))).detach()

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))


def test_a_frozen_encoder_needs_no_gradient():
    """The head alone is trained."""
    model = make_model("roberta")
    model.base_model.requires_grad_(False)
    require_same_gradients(model, make_texts(), ROWS["all"])
    assert all(weight.grad is None for weight in model.base_model.parameters())


def test_empty_texts_behind_the_others_change_nothing():
    """Graphs have room for more texts than a pass has: theirs are numbers, which nobody reads."""
    forward, rows = packed_pass(make_model("bert")), np.array([0, 5])
    inputs = forward.inputs(make_texts(), rows)
    with torch.inference_mode():
        expected = forward.compute(inputs)
        empty = inputs["begins"][-1:].expand(40)  # more texts than tokens
        found = forward.compute({**inputs, "begins": torch.cat([inputs["begins"], empty])})
    assert torch.equal(found[:2], expected)
    assert len(found) == 42
    assert found.isfinite().all()


def test_the_proof_sees_a_last_layer_that_reads_other_tokens(monkeypatch, caplog):
    """A mistake there is found before the first step, and costs speed only."""
    model, texts = make_model("bert").float(), make_texts()
    assert isinstance(packed_or_padded(model, PAD, CPU, "fp32", texts), PackedForward)

    def last_tokens(texts: TextLayout, tokens: int) -> torch.Tensor:
        return texts.begins[1:] - 1

    monkeypatch.setattr(packed_attention.TextLayout, "firsts", last_tokens)
    assert type(packed.packed_or_padded(model, PAD, CPU, "fp32", texts)) is Forward
    assert "the padding-free path is off by" in caplog.text


@pytest.mark.parametrize("family", sorted(_PARTS))
def test_all_tokens_are_computed_where_an_earlier_version_did(family):
    """With the bits of a model that nothing is attached to but what reduces the row behind the last layer."""
    model, rows = make_model(family).float(), np.arange(len(LENGTHS))
    now, before = packed_pass(model), packed_pass(copy.deepcopy(model))
    now.is_last_layer_full = True
    for layer in before.model.modules():
        layer._forward_pre_hooks.clear()
    before.is_last_layer_full = True
    assert {tokens for _, tokens in seen_by_last_layer(model, now)} == {sum(LENGTHS)}
    with torch.inference_mode():
        assert torch.equal(now(make_texts(), rows), before(make_texts(), rows))
