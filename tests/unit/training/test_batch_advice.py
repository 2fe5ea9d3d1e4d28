"""Advice on small batches: when it is given, and that what it proposes is sound."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batch_advice import advise, larger_batch, tokens_to_keep_busy
from bert_classifier.training.recipe import LEAST_STEPS, Recipe, automatic_batch_size, choose_recipe


@pytest.fixture(scope="module")
def bert_base() -> torch.nn.Module:
    """Return BERT base without memory for its weights: only their number counts."""
    with torch.device("meta"):
        return BertForSequenceClassification(BertConfig())


def recipe_of(num_texts: int, ranks: int = 8, **settings: Any) -> Recipe:
    """Return the recipe for BERT base."""
    return choose_recipe(TrainConfig(**settings), num_texts=num_texts, width=768, world_size=ranks)


def texts_of(length: int) -> EncodedTexts:
    """Return ten texts of this many tokens."""
    return EncodedTexts(np.zeros(10 * length, np.int32), np.arange(11) * length, np.zeros(10, bool))


def test_a_batch_of_32_on_8_gpus_gets_a_proposal(bert_base):
    """Four texts per GPU: the proposal fills the GPUs better, and its rate is the recipe's times the square root."""
    (sentence,) = advise(recipe_of(560_000), bert_base, texts_of(60), ranks=8)
    assert "8 GPUs: each gets 4 texts (about 240 tokens) per step" in sentence
    assert "global_batch_size=256 learning_rate=0.00014," in sentence


def test_a_short_run_is_told_to_take_fewer_gpus(bert_base):
    """Where twice the batch leaves too few steps, there is no number to propose."""
    (sentence,) = advise(recipe_of(2000), bert_base, texts_of(60), ranks=8)
    assert "global_batch_size=" not in sentence
    assert sentence.endswith("so fewer GPUs cost less")


def test_advice_that_was_followed_is_not_raised(bert_base):
    """The next start measures its proposal by the automatic batch too, not only by the one it was given."""
    recipe = recipe_of(560_000, global_batch_size=256, learning_rate=0.00014)
    (sentence,) = advise(recipe, bert_base, texts_of(60), ranks=8)
    assert "global_batch_size=" not in sentence
    assert sentence.endswith(
        "twice the batch would exceed 8 times the automatic one, so fewer GPUs cost less"
    )


def test_a_batch_per_device_is_replaced_by_what_is_proposed(bert_base):
    """Both together would be refused as a contradiction."""
    (sentence,) = advise(recipe_of(560_000, per_device_batch_size=8), bert_base, texts_of(60), ranks=8)
    assert "global_batch_size=256 learning_rate=0.0001 in place of per_device_batch_size, or" in sentence


@pytest.mark.parametrize(
    ("ranks", "length", "settings"),
    [(1, 60, {}), (8, 60, {"global_batch_size": 1024}), (8, 1100, {}), (2, 300, {})],
    ids=["one GPU", "a large batch", "long texts", "few GPUs"],
)
def test_a_batch_that_keeps_its_gpus_busy_gets_no_advice(bert_base, ranks, length, settings):
    """One GPU has nobody to share with; many tokens are work enough."""
    assert advise(recipe_of(560_000, ranks, **settings), bert_base, texts_of(length), ranks=ranks) == []


def test_smaller_models_need_more_tokens(bert_base):
    """The launches of a layer cost the same, its products less; BERT base needs about four thousand tokens."""
    with torch.device("meta"):
        small = BertForSequenceClassification(
            BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
        )
    assert 4000 < tokens_to_keep_busy(bert_base) < 4200
    assert tokens_to_keep_busy(small) > 3 * tokens_to_keep_busy(bert_base)


@given(
    num_texts=st.integers(2, 1_000_000),
    wanted=st.floats(1, 1e5),
    batch=st.none() | st.integers(1, 4096),
    epochs=st.none() | st.integers(1, 20),
)
def test_what_is_proposed_is_sound(num_texts, wanted, batch, epochs):
    """At most eight times the batch and the automatic one, no more than wanted, steps enough, the rule's rate."""
    recipe = recipe_of(num_texts, global_batch_size=batch, num_train_epochs=epochs)
    proposed = larger_batch(recipe, wanted)
    if proposed is None:
        twice = 2 * recipe.global_batch_size
        is_bounded = twice > 8 * automatic_batch_size(num_texts) or recipe.total_steps(twice) < LEAST_STEPS
        assert recipe.global_batch_size >= wanted or is_bounded
        return
    factor = proposed[0] / recipe.global_batch_size
    assert factor in (2, 4, 8)
    assert proposed[0] <= 8 * automatic_batch_size(num_texts)
    assert proposed[0] < 2 * wanted
    assert recipe.total_steps(proposed[0]) >= LEAST_STEPS
    assert proposed[1] == pytest.approx(recipe.learning_rate * factor**0.5, rel=0.06)


def test_a_proposal_can_be_given_as_it_is_written(bert_base):
    """The run that follows it has the proposed values, and no fewer steps than a run needs."""
    recipe = recipe_of(20_000)
    batch, rate = larger_batch(recipe, 1e5) or (0, 0.0)
    again = recipe_of(20_000, global_batch_size=batch, learning_rate=float(f"{rate:g}"))
    assert (again.global_batch_size, again.learning_rate) == (batch, rate)
    assert again.total_steps(batch) >= LEAST_STEPS


def test_a_batch_that_would_leave_too_few_steps_is_not_proposed(bert_base):
    """The message says so."""
    settings: dict[str, Any] = {"global_batch_size": 32, "num_train_epochs": 4}
    (refused,) = advise(recipe_of(960, **settings), bert_base, texts_of(60), ranks=8)
    assert "fewer than 120 steps" in refused
