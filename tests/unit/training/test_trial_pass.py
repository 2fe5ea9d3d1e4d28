"""What is found out about an encoder before data are read: every family at its full length, and what is refused."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.positions import positions_of_model
from bert_classifier.modeling.pretrained import freeze_encoder
from bert_classifier.training.encoder_check import check_encoder_for
from bert_classifier.training.trial_pass import try_encoder
from support.clear_text import assert_clear
from support.encoders import FAMILIES, TOKENS, make_encoder
from support.fakes import make_tokenizer

SOURCE = "the/encoder"
# Refused with these words, since they would fail later, or train what is no classifier of texts.
REFUSED = {
    "funnel": "cannot compute texts of 2, 7, 26 tokens: RuntimeError: output with shape",
    "mra": "answers all texts alike here",
}
_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
# Made for something else than texts, or for texts of one length.
OTHERS: dict[str, dict[str, Any]] = {
    "esm": {**_SMALL, "max_position_embeddings": 130},
    "esmc": _SMALL,
    "perceiver": {
        "d_latents": 32, "num_latents": 8, "d_model": 32, "num_cross_attention_heads": 4, "num_labels": 2,
        "num_self_attention_heads": 4, "num_self_attends_per_block": 2, "max_position_embeddings": 128,
    },
    "reformer": {
        "axial_pos_shape": (8, 8), "axial_pos_embds_dim": (16, 16), "attn_layers": ["local", "local"],
        "hidden_size": 32, "feed_forward_size": 64, "is_decoder": False, "attention_head_size": 8,
        "local_attn_chunk_length": 16, "max_position_embeddings": 64,
    },
    "roc_bert": {
        **_SMALL, "pronunciation_vocab_size": 50, "shape_vocab_size": 50, "pronunciation_embed_dim": 16,
        "shape_embed_dim": 16,
    },
    "tapas": _SMALL,
}  # fmt: skip
TRAINED = sorted({*FAMILIES, *OTHERS} - {*REFUSED, "reformer"})


def build(folder: Path, family: str, **settings: Any) -> tuple[Any, Any]:
    """Return a tiny random classifier and its tokenizer."""
    if family in FAMILIES:
        make_encoder(folder, family, head="classifier", **settings)
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        return model, PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer = make_tokenizer()
    usual = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "mask_token_id": 3}
    config = AutoConfig.for_model(family, **{**usual, **OTHERS[family], **settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(config), tokenizer


@pytest.mark.parametrize("family", TRAINED)
def test_every_family_is_tried_at_its_full_length(tmp_path, family):
    """No text that is permitted is too long for the model; nothing is left of the trial."""
    model, tokenizer = build(tmp_path, family)
    most = positions_of_model(model)
    state = torch.get_rng_state()
    before = [weights.clone() for weights in model.parameters()]
    assert check_encoder_for(TrainConfig(max_seq_length=most), model, tokenizer, SOURCE) == most
    assert torch.equal(torch.get_rng_state(), state)
    assert all(weights.grad is None for weights in model.parameters())
    assert all(map(torch.equal, model.parameters(), before))


@pytest.mark.parametrize("family", ["bert", "mpnet", "esm", "modernbert", "longformer"])
def test_one_token_more_than_the_model_takes_is_refused(tmp_path, family):
    """By the model's own tables, in the words of the check without torch."""
    model, tokenizer = build(tmp_path, family)
    most = positions_of_model(model) or 0
    with pytest.raises(
        UserError, match=f"={most + 1} is more than the {most} tokens that the/encoder"
    ) as caught:
        check_encoder_for(TrainConfig(max_seq_length=most + 1), model, tokenizer, SOURCE)
    assert_clear(caught.value)


@pytest.mark.parametrize("family", ["albert", "bert", "mpnet", "luke", "xlm"])
def test_what_works_is_found_by_the_model(tmp_path, family):
    """Were the tables unknown, computing would tell the longest text."""
    model, tokenizer = build(tmp_path, family)
    assert try_encoder(model, tokenizer, SOURCE, 300) == positions_of_model(model)


@pytest.mark.parametrize("family", REFUSED)
def test_families_that_would_fail_later_are_refused(tmp_path, family):
    """One sentence with what is wrong, and what to do."""
    refused(*build(tmp_path, family), REFUSED[family])


def refused(model: Any, tokenizer: Any, words: str) -> None:
    """Check that an encoder is refused."""
    with pytest.raises(UserError, match=words) as caught:
        try_encoder(model, tokenizer, SOURCE, 64)
    assert_clear(caught.value)
    assert SOURCE in caught.value.cause


@pytest.mark.parametrize(
    ("family", "settings", "words"),
    [
        ("reformer", {}, "cannot compute texts of 2, 7, 26 tokens: ValueError: If training"),
        (
            "xmod",
            {"default_language": None},
            "cannot compute a text of 64 tokens: ValueError: Input language",
        ),
        ("nystromformer", {"num_landmarks": 8, "segment_means_seq_len": 64}, "cannot compute texts of"),
        ("yoso", {"use_expectation": False}, "cannot compute a text of 64 tokens: AttributeError"),
    ],
)
def test_settings_that_do_not_suit_texts_of_all_lengths(tmp_path, family, settings, words):
    """In the words of the library, before data are read."""
    refused(*build(tmp_path, family, **settings), words)


def test_an_encoder_that_short_texts_change_for_good(tmp_path):
    """BigBird would compute otherwise after a stop, and serve one text in two ways."""
    sparse = {"attention_type": "block_sparse", "block_size": 4, "num_random_blocks": 1}
    model, tokenizer = build(tmp_path, "big_bird", **sparse)
    with pytest.raises(UserError, match="attention_type from block_sparse to original_full") as caught:
        try_encoder(model, tokenizer, SOURCE, TOKENS)
    assert_clear(caught.value)
    assert '"attention_type": "original_full"' in caught.value.remedy
    model, tokenizer = build(tmp_path, "big_bird", **sparse)
    assert try_encoder(model, tokenizer, SOURCE, 24) == 24  # at which it never computes the sparse way


def test_an_encoder_that_draws_random_numbers(tmp_path):
    """Such as one whose dropout stays on."""
    model, tokenizer = build(tmp_path, "bert")
    model.classifier.register_forward_pre_hook(lambda _, inputs: torch.nn.functional.dropout(inputs[0]))
    refused(model, tokenizer, "differently each time")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, value):
    """They are named, even where no text of the trial has them."""
    model, tokenizer = build(tmp_path, "bert")
    model.bert.embeddings.word_embeddings.weight.data[-1, 3] = value
    refused(model, tokenizer, r"in 1 tensor\(s\), such as bert.embeddings.word_embeddings.weight")


def test_weights_too_large_to_compute_with(tmp_path):
    """Numbers each, and no logits."""
    model, tokenizer = build(tmp_path, "bert")
    model.classifier.weight.data[:] = 3e38
    refused(model, tokenizer, "logits that are not finite for a text of 64 tokens")


def test_a_head_of_zeros_is_not_the_encoders_fault(tmp_path):
    """It is trained, or begins anew; what was tried in its place is gone."""
    model, tokenizer = build(tmp_path, "bert")
    for weights in model.classifier.parameters():
        weights.data.zero_()
    assert try_encoder(model, tokenizer, SOURCE, 64) == 64
    assert not any(weights.any() for weights in model.classifier.parameters())


@pytest.mark.parametrize("family", ["bert", "modernbert", "roberta"])
def test_a_tokenizer_that_adds_no_tokens(tmp_path, family):
    """No text of the trial is without a token."""
    model, tokenizer = build(tmp_path, family)
    tokenizer.backend_tokenizer.post_processor = processors.Sequence([])
    assert try_encoder(model, tokenizer, SOURCE, 64) == 64


LONG_ROPE = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}


@pytest.mark.parametrize("family", ["eurobert", "gte", "nomic_bert", "modernbert", "jina_embeddings_v3"])
def test_long_texts_do_not_change_how_others_are_read(tmp_path, family):
    """What depends on the longest text of a batch is refused, or not chosen."""
    rope = {**LONG_ROPE, "original_max_position_embeddings": 32, "factor": 4.0}
    ropes = {"full_attention": rope, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}
    model, tokenizer = build(tmp_path, family, rope_parameters=ropes if family == "modernbert" else rope)
    assert check_encoder_for(TrainConfig(max_seq_length=32), model, tokenizer, SOURCE) == 32
    assert check_encoder_for(TrainConfig(), model, tokenizer, SOURCE) == 32
    with pytest.raises(UserError, match=r"=33 is more than the 32 tokens .*longrope") as caught:
        check_encoder_for(TrainConfig(max_seq_length=33), model, tokenizer, SOURCE)
    assert_clear(caught.value)
    short = torch.arange(5, 15)[None]
    long = torch.arange(5, 45)[None]
    padded = torch.nn.functional.pad(short, (0, 30))
    model.eval()
    with torch.no_grad():
        alone = model(short).logits
        together = model(
            torch.cat([padded, long]), attention_mask=torch.cat([padded, long]).clamp(max=1)
        ).logits
    assert not torch.allclose(alone, together[:1], atol=1e-4)  # what is guarded against


def test_memory_that_runs_out_is_not_the_encoders_fault(tmp_path, monkeypatch):
    """What the machine lacks is said as such by who classifies failures."""

    def fail(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(Forward, "__call__", fail)
    with pytest.raises(RuntimeError, match="can't allocate"):
        try_encoder(*build(tmp_path, "bert"), SOURCE, 64)


def test_a_frozen_modernbert_is_doubted(tmp_path, caplog):
    """Others are not, nor is one that is trained."""
    caplog.set_level(logging.WARNING)
    for family, is_frozen in (("modernbert", False), ("bert", True), ("modernbert", True)):
        assert "freeze_encoder" not in caplog.text
        model, tokenizer = build(tmp_path / f"{family}{is_frozen}", family)
        if is_frozen:
            freeze_encoder(model)
        check_encoder_for(TrainConfig(freeze_encoder=is_frozen), model, tokenizer, SOURCE)
    assert "freeze_encoder=true with ModernBERT" in caplog.text


def test_weights_or_a_tokenizer_of_another_model_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither fails: the bare weights are trained, and texts are read as other words."""
    config = TrainConfig(max_seq_length=16)
    model, tokenizer = build(tmp_path / "own", "bert")
    check_encoder_for(config, model, tokenizer, str(tmp_path / "own"))
    assert "adapter" not in caplog.text
    assert "own tokenizer" not in caplog.text
    rows = len(tokenizer) + 200
    model, tokenizer = build(tmp_path / "other", "bert", vocab_size=rows)
    for name in ("adapter_config.json", "model.safetensors.index.json"):
        (tmp_path / "other" / name).write_text("{}")
    check_encoder_for(config, model, tokenizer, str(tmp_path / "other"))
    assert "holds an adapter (adapter_config.json) beside the weights of its model" in caplog.text
    assert "model.safetensors is used, as transformers does, and the others are not read" in caplog.text
    assert f"has ids up to {len(tokenizer) - 1}, the model {rows} rows for them" in caplog.text
