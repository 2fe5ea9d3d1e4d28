"""Vectors of a frozen encoder: the mean of the last hidden states without padding, and what the last layer reads."""

from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.equal_lengths import EqualLengths
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.frozen_features import HeadInputs, evaluation_mode, mean_pooled
from support.toy_trainer import make_trainer

FAMILIES = (
    "bert", "roberta", "distilbert", "electra", "albert", "deberta-v2", "modernbert", "mpnet", "xlm-roberta",
    "camembert",
)  # fmt: skip
SHAPE: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "embedding_size": 16, "num_labels": 3, "pad_token_id": 1,
}  # fmt: skip
LENGTHS = (7, 3, 12, 12, 5)


def texts() -> EncodedTexts:
    """Return five texts of several lengths."""
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.random.default_rng(0).integers(5, 60, offsets[-1]).astype(np.int32)
    return EncodedTexts(ids, offsets, np.zeros(5, dtype=bool))


def classifier(family: str) -> Any:
    """Return a tiny random classifier with a pooling of its family's own."""
    special = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    own: dict[str, dict[str, Any]] = {
        "modernbert": {"global_attn_every_n_layers": 1, **special},
        "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4},
    }
    config = AutoConfig.for_model(family, **SHAPE, **own.get(family, {}))
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(config).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_texts_vector_is_the_mean_of_its_tokens_states(family):
    """Computed among longer texts as alone, for every family."""
    model, encoded = classifier(family), texts()
    pooled = mean_pooled(Forward(model, 1, torch.device("cpu"), "fp32"))
    with torch.inference_mode():
        together = pooled(encoded, np.arange(5))
        for number, (begin, end) in enumerate(zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)):
            ids = torch.from_numpy(encoded.ids[begin:end].astype(np.int64))[None]
            states = model.base_model(ids).last_hidden_state[0]
            np.testing.assert_allclose(together[number], states.mean(dim=0), atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_maps_its_inputs_to_the_logits(family):
    """Whatever the head does before, and whatever the layer is called."""
    model, encoded, windows = classifier(family), texts(), np.arange(5)
    forward = Forward(model, 1, torch.device("cpu"), "fp32")
    inputs = HeadInputs(forward, 3)
    with torch.inference_mode():
        vectors, logits = inputs(encoded, windows), forward(encoded, windows)
        assert vectors.shape == (5, inputs.check(encoded, windows))
        np.testing.assert_allclose(model.get_submodule(inputs.name)(vectors), logits, atol=1e-6)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_last_layers_inputs_are_in_the_order_of_the_windows_where_passes_go_by_length():
    """As a start of the head reads them from encoders whose scores depend on padding."""
    encoded, windows = texts(), np.array([3, 0, 4, 1])
    forward = EqualLengths(classifier("bert"), 1, torch.device("cpu"), "fp32")
    inputs = HeadInputs(forward, 3)
    assert len(set(encoded.lengths[windows].tolist())) > 1
    with torch.inference_mode():
        vectors, logits = inputs(encoded, windows), forward(encoded, windows)
        assert inputs.check(encoded, windows) == vectors.shape[1]
        np.testing.assert_allclose(forward.model.get_submodule(inputs.name)(vectors), logits, atol=1e-6)


def test_a_packed_pass_leaves_the_states_of_all_tokens(tmp_path):
    """The hook of the padding-free pass, which keeps first tokens only, does not reach the mean."""
    trainer = make_trainer(tmp_path)
    assert not trainer.forward.is_padded
    encoded, model = trainer.train.encoded, cast(Any, trainer.model)
    with evaluation_mode(trainer.model), torch.inference_mode():
        vectors = mean_pooled(trainer.forward)(encoded, np.arange(1))
        ids = torch.from_numpy(encoded.ids[: encoded.offsets[1]].astype(np.int64))[None]
        states = model.base_model(ids).last_hidden_state[0]
    np.testing.assert_allclose(vectors[0], states.mean(dim=0), atol=1e-5)


class Own(nn.Module):
    """A classifier of a person's own, without an encoder that could be told from its head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.scores = nn.Embedding(60, 3), nn.Linear(3, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> Any:
        """Return logits that are not a linear layer's outputs."""
        logits = self.scores(self.embedding(input_ids).mean(dim=1)) * 2
        return transformers.modeling_outputs.SequenceClassifierOutput(logits=logits)


def test_other_models_are_refused_with_the_reason():
    """No base_model, or logits that come from elsewhere."""
    forward = Forward(Own(), 1, torch.device("cpu"), "fp32")
    with pytest.raises(ValueError, match="no base_model"):
        mean_pooled(forward)(texts(), np.arange(2))
    with pytest.raises(ValueError, match="not what the layer scores gives"):
        HeadInputs(forward, 3).check(texts(), np.arange(2))
    with pytest.raises(ValueError, match="no linear layer with 7 outputs"):
        HeadInputs(forward, 7)


def test_modes_are_restored_one_by_one():
    """A module that was not training does not train afterwards."""
    model = classifier("bert").train()
    model.classifier.eval()
    with evaluation_mode(model):
        assert not any(module.training for module in model.modules())
    assert model.training
    assert not model.classifier.training
