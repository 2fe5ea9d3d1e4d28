"""The default recipe: what is chosen from data and encoder, setting by setting, and that every rank chooses alike."""

import pytest

from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.batching import EpochOrder
from bert_classifier.training.recipe import choose_recipe, encoder_width
from support.fakes import ARCHITECTURES, CLASS_NAMES, make_pretrained
from support.toy_trainer import make_trainer

BY_HAND = {"global_batch_size": 24, "num_train_epochs": 7, "learning_rate": 1e-3, "warmup_ratio": 0.0}
AHEAD = {"pooling": "mean", "head_init": "logistic_regression"}


def chosen(num_texts=48, width=384, world_size=1, **settings):
    """Return the recipe for the settings that are given."""
    return choose_recipe(TrainConfig(**settings), num_texts=num_texts, width=width, world_size=world_size)


@pytest.mark.parametrize(
    ("texts", "batch", "epochs"),
    [
        (2, 8, 120),  # an epoch is one step
        (8, 8, 120),
        (42, 8, 23),
        (48, 8, 20),
        (157, 8, 6),
        (199, 8, 5),
        (200, 16, 10),
        (308, 16, 6),
        (999, 16, 3),
        (1000, 32, 4),
        (1280, 32, 3),
        (560_000, 32, 3),
    ],
)
def test_batch_and_epochs_follow_from_the_training_texts(texts, batch, epochs):
    """Small data get small batches and about 120 steps; large data three passes."""
    recipe = chosen(texts)
    assert (recipe.global_batch_size, recipe.num_train_epochs) == (batch, epochs)
    steps = EpochOrder(texts, batch, seed=0).steps_per_epoch * epochs
    assert steps >= 115


@pytest.mark.parametrize(
    ("width", "texts", "rate"), [(384, 48, 1e-4), (384, 999, 1e-4), (768, 48, 5e-5), (4096, 48, 2e-5)]
)
def test_a_head_with_a_start_is_followed_gently(width, texts, rate):
    """Half the rate, and never below the least; either setting alone is no start."""
    assert chosen(texts, width, **AHEAD).learning_rate == pytest.approx(rate)
    for name in AHEAD:
        assert chosen(texts, width, **{name: AHEAD[name]}) == chosen(texts, width)


@pytest.mark.parametrize(
    ("width", "few", "many"),
    [
        (32, 2e-4, 2e-4),
        (384, 2e-4, 2e-4),
        (512, 1.5e-4, 1.125e-4),
        (768, 1e-4, 5e-5),
        (1024, 7.5e-5, 2.8125e-5),
        (4096, 2e-5, 2e-5),
    ],
)
def test_the_learning_rate_follows_from_the_encoders_width(width, few, many):
    """By the ratio with few texts, by its square with many, within 2e-5 and 2e-4; BERT base gets its usual 5e-5."""
    assert chosen(999, width=width).learning_rate == few
    assert chosen(1000, width=width).learning_rate == many


def test_the_logged_learning_rate_is_the_one_that_is_used():
    """Set by hand, what the log shows is the same run, not one that differs in the last bit."""
    for width in range(32, 4097):
        recipe = chosen(1000, width=width)
        text = recipe.description(1).partition("learning rate ")[2].partition(";")[0]
        assert float(text) == recipe.learning_rate, width


@pytest.mark.parametrize("name", BY_HAND)
def test_each_setting_is_chosen_on_its_own(name):
    """What is set by hand stays; the others are chosen all the same."""
    recipe = chosen(**{name: BY_HAND[name]})
    assert getattr(recipe, name) == BY_HAND[name]
    assert set(recipe.automatic) == BY_HAND.keys() - {name}


def test_epochs_count_the_batch_that_is_used():
    """By hand in one of its two forms: per device it counts every rank of the job."""
    assert chosen(480, global_batch_size=64).num_train_epochs == 16
    assert chosen(480, world_size=8, per_device_batch_size=8).num_train_epochs == 16
    parts = {"per_device_batch_size": 4, "gradient_accumulation_steps": 2}
    recipe = chosen(480, world_size=8, **parts)
    assert (recipe.global_batch_size, recipe.num_train_epochs) == (64, 16)
    assert recipe.automatic == ("num_train_epochs", "learning_rate", "warmup_ratio")
    assert chosen(48, global_batch_size=1_000_000).num_train_epochs == 120


def test_what_was_chosen_is_said_with_its_reasons():
    """In one line, without the settings that were made by hand, and without pairs that metric services read."""
    assert chosen().description(120) == (
        "chosen for 48 training texts and an encoder of width 384: batch 8, 20 epochs (120 steps), learning rate"
        " 0.0002; set global_batch_size, num_train_epochs, learning_rate to override"
    )
    text = chosen(learning_rate=1e-3, global_batch_size=8).description(120)
    assert text.endswith(": 20 epochs (120 steps); set num_train_epochs to override")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_family_says_how_wide_it_is(tmp_path, architecture):
    """Also where its configuration calls it dim, and where its embeddings are narrower."""
    folder = make_pretrained(tmp_path, architecture, hidden=48)
    model = load_pretrained(str(folder), CLASS_NAMES[:3], load_tokenizer(str(folder)), 64)
    assert encoder_width(model) == 48


def test_the_trainer_follows_the_recipe(tmp_path):
    """Steps, batch and learning rate of a trainer whose settings say nothing of them."""
    trainer = make_trainer(tmp_path, rows=20, warmup_ratio=0.0)
    assert trainer.total_steps == 3 * 48
    report = trainer.train_step(0)
    assert (report.examples, report.learning_rate) == (8, 2e-4)
