"""The layer that brings the mean of a text's tokens to the head."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    AutoModelForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from bert_classifier.errors import UserError
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.mean_layer import add_mean_layer
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.pooling import use_pooling
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.fakes import make_pretrained
from support.toy_trainer import make_split

FAMILIES = ("bert", "roberta", "distilbert", "electra")
LABELS = ("a", "b", "c")


def classifier(folder: Path, family: str) -> Any:
    make_pretrained(folder, family)
    torch.manual_seed(0)
    return load_pretrained(str(folder), LABELS, load_tokenizer(str(folder)), 64).eval()


def inputs() -> dict[str, torch.Tensor]:
    ids = torch.arange(10, 34).reshape(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def normalised(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(vectors, vectors.shape[-1:])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_token_becomes_the_mean_of_the_texts_tokens(tmp_path: Path, family: str) -> None:
    """Padding is not part of the mean. The residual of [CLS] remains, a tenth as large."""
    model = classifier(tmp_path, family)
    with torch.no_grad():
        before = model.base_model(**inputs()).last_hidden_state
        add_mean_layer(model, "x")
        after = model.base_model(**inputs()).last_hidden_state[:, 0]
    weights = inputs()["attention_mask"].float()
    mean = torch.einsum("bt,bth->bh", weights / weights.sum(1, keepdim=True), before)
    torch.testing.assert_close(after, normalised(before[:, 0] + 10 * mean), atol=1e-4, rtol=1e-4)
    assert torch.nn.functional.cosine_similarity(after, normalised(mean)).min() > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_transformers_opens_it(tmp_path: Path, family: str) -> None:
    """It is an encoder with one layer more, whose weights all have the names that transformers expects."""
    model = classifier(tmp_path / "pretrained", family)
    add_mean_layer(model, "x")
    model.save_pretrained(tmp_path / "saved")
    opened, report = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(opened.eval()(**inputs()).logits, model(**inputs()).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_of_it_can_be_trained(tmp_path: Path, family: str) -> None:
    """A loss has gradients for every part that is not zero by construction: scores follow once the values differ."""
    model = classifier(tmp_path, family)
    add_mean_layer(model, "x")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(**inputs()).logits, torch.tensor([0, 1])).backward()
        optimizer.step()
    top = model.base_model.encoder if hasattr(model.base_model, "encoder") else model.base_model.transformer
    still = [
        name
        for name, parameter in top.layer[-1].named_parameters()
        if parameter.grad is None or (parameter.grad == 0).all()
    ]
    assert [
        name for name in still if "key.bias" not in name and "k_lin.bias" not in name
    ] == []  # softmax hides it


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_computed_without_padding(tmp_path: Path, family: str) -> None:
    """The padding-free pass gives its logits too: the new layer follows the model's settings for attention."""
    model = classifier(tmp_path, family)
    add_mean_layer(model, "x")
    split = make_split(tmp_path, 12)
    forward = packed_or_padded(model, 0, torch.device("cpu"), "fp32", split.encoded)
    assert isinstance(forward, PackedForward)
    padded = Forward(model, 0, torch.device("cpu"), "fp32")
    ours, theirs = (one(split.encoded, np.arange(12)).detach() for one in (forward, padded))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_same_encoder_gets_the_same_layer(tmp_path: Path) -> None:
    """No random number is drawn, so the run's other random numbers are what they were."""
    one, other = classifier(tmp_path, "bert"), classifier(tmp_path, "bert")
    state = torch.get_rng_state()
    add_mean_layer(one, "x")
    assert torch.equal(state, torch.get_rng_state())
    add_mean_layer(other, "x")
    for ours, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_that_has_the_layer_gets_no_second_one(tmp_path: Path) -> None:
    """Trained further, an exported model keeps its layer, its head and its answers."""
    model = classifier(tmp_path / "pretrained", "bert")
    add_mean_layer(model, "x")
    model.save_pretrained(tmp_path / "saved")
    load_tokenizer(str(tmp_path / "pretrained")).save_pretrained(tmp_path / "saved")
    again = load_pretrained(
        str(tmp_path / "saved"), LABELS, load_tokenizer(str(tmp_path / "saved")), 64, keep_head="true"
    ).eval()
    use_pooling(again, "mean", "x")
    assert again.config.num_hidden_layers == 3
    with torch.no_grad():
        assert torch.equal(again(**inputs()).logits, model(**inputs()).logits)


def test_modernbert_reads_the_mean_itself() -> None:
    """Its own head can: no layer is added, and the answers are others."""
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = ModernBertConfig(vocab_size=40, num_hidden_layers=2, pad_token_id=0, **sizes)
    model: Any = ModernBertForSequenceClassification(config).eval()
    with torch.no_grad():
        before = model(**inputs()).logits
        use_pooling(model, "mean", "x")
        after = model(**inputs()).logits
        use_pooling(model, "auto", "x")
        assert torch.equal(model(**inputs()).logits, after)
        use_pooling(model, "cls", "x")
        assert torch.equal(model(**inputs()).logits, before)
        use_pooling(model, "mean", "x")
    assert (model.config.classifier_pooling, model.config.num_hidden_layers) == ("mean", 2)
    assert not torch.equal(before, after)


def test_other_families_are_refused() -> None:
    """ALBERT's layers share their weights: none can be another."""
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "embedding_size": 8,
    }
    model = AlbertForSequenceClassification(AlbertConfig(vocab_size=40, num_hidden_layers=2, **sizes))
    with pytest.raises(
        UserError, match=r"pooling=mean needs an encoder of the families bert, .*; x is of type albert"
    ):
        add_mean_layer(model, "x")
