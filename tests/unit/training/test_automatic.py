"""Settings that follow from the training texts, and what an encoder says of itself."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from transformers import AutoConfig, MPNetConfig

from bert_classifier.errors import PlatformError
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.pooling import is_mean_pooled
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.automatic import settings_by_data
from support.fakes import make_pretrained

SHORT = "a few words"
MEAN = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
AHEAD = {"pooling": "mean", "head_init": "logistic_regression"}


def sentence_encoder(folder: Path, settings: Any = MEAN, architecture: str = "bert") -> Path:
    """Save a tiny encoder with the file that sentence-transformers writes beside it."""
    make_pretrained(folder, architecture)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def chosen(folder: Path, texts: list[str], **settings: Any) -> dict[str, Any]:
    """Return what is chosen for texts beside max_seq_length, whatever that is."""
    config = TrainConfig(**settings)
    model_config, tokenizer = AutoConfig.from_pretrained(folder), load_tokenizer(str(folder))
    found = settings_by_data(config, str(folder), model_config, tokenizer, texts, positions=None)
    assert (found.pop("max_seq_length", None) is None) == (config.max_seq_length is not None)
    return found


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra"])
def test_few_texts_and_a_sentence_encoder_take_the_mean(
    tmp_path: Path, architecture: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what, why, what it costs and how to do without."""
    caplog.set_level(logging.INFO)
    assert chosen(sentence_encoder(tmp_path, architecture=architecture), [SHORT] * 999) == AHEAD
    assert "chosen for 999 training texts and a sentence encoder" in caplog.text
    assert (
        ": pooling=mean, head_init=logistic_regression; pooling=mean takes one more encoder layer"
        in caplog.text
    )


def test_many_texts_take_the_first_token(tmp_path: Path) -> None:
    """From 1,000 on, an encoder without one more layer is cheaper."""
    assert chosen(sentence_encoder(tmp_path), [SHORT] * 1000) == {}


def test_other_encoders_take_the_first_token(tmp_path: Path) -> None:
    """One that says nothing of its pooling is no sentence encoder, with however few texts."""
    assert chosen(make_pretrained(tmp_path), [SHORT] * 9) == {}


def test_what_is_set_by_hand_stays(tmp_path: Path) -> None:
    """Without the mean there is no start of the head either; the mean can have a head that starts at random."""
    folder = sentence_encoder(tmp_path)
    assert chosen(folder, [SHORT] * 9, pooling="cls") == {}
    assert chosen(folder, [SHORT] * 9, pooling="mean") == {"head_init": "logistic_regression"}
    assert chosen(folder, [SHORT] * 9, **AHEAD) == {}
    assert chosen(folder, [SHORT] * 9, head_init="random") == {"pooling": "mean"}
    assert chosen(folder, [SHORT] * 9, max_seq_length=16) == AHEAD


def test_a_head_that_is_kept_stays_where_it_is(tmp_path: Path) -> None:
    """Neither does it read anything else, nor does it start anew."""
    folder = sentence_encoder(tmp_path)
    arguments = AutoConfig.from_pretrained(folder), load_tokenizer(str(folder)), [SHORT] * 9
    for settings in (TrainConfig(max_seq_length=16), TrainConfig(max_seq_length=16, pooling="mean")):
        assert settings_by_data(settings, str(folder), *arguments, positions=None, is_head_kept=True) == {}


def test_a_family_without_such_a_layer_keeps_its_first_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """MPNet adds relative positions to its scores: its layers cannot begin as a mean. The log says so."""
    caplog.set_level(logging.INFO)
    folder = sentence_encoder(tmp_path)
    tokenizer, config = load_tokenizer(str(folder)), MPNetConfig()
    settings = TrainConfig(max_seq_length=16)
    assert settings_by_data(settings, str(folder), config, tokenizer, [SHORT], positions=None) == {}
    assert "an encoder of type mpnet cannot get the layer" in caplog.text


@pytest.mark.parametrize(
    ("settings", "is_mean"),
    [
        (MEAN, True),
        (
            {"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True},
            True,
        ),  # of version 5.2 on
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, False),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, False),  # both, side by side
        ({"pooling_mode": "cls"}, False),
        ({"pooling_mode": ["mean", "max"]}, False),
        ({}, False),
        (["mean"], False),
    ],
)
def test_the_encoders_own_words_decide(tmp_path: Path, settings: Any, is_mean: bool) -> None:
    """In the forms that sentence-transformers has written; anything else is not guessed."""
    assert is_mean_pooled(str(sentence_encoder(tmp_path, settings))) is is_mean


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    """An encoder without readable words of its own is taken as transformers takes it."""
    folder = sentence_encoder(tmp_path)
    (folder / "1_Pooling" / "config.json").write_text("{", encoding="utf-8")
    assert not is_mean_pooled(str(folder))
    (folder / "1_Pooling" / "config.json").write_bytes(b"\xff\xfe{")
    assert not is_mean_pooled(str(folder))


def test_a_hub_that_does_not_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess would make another run of the next attempt; offline, what is not there stays unknown."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("We couldn't connect to the hub\nand so on")

    monkeypatch.setattr("bert_classifier.modeling.pooling.cached_file", unreachable)
    with pytest.raises(
        PlatformError, match="does not say whether a/b is a sentence encoder: We couldn't"
    ) as raised:
        is_mean_pooled("a/b")
    assert "pooling=cls" in raised.value.remedy
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not is_mean_pooled("a/b")


def test_the_length_follows_from_the_training_texts(tmp_path: Path) -> None:
    """No more than the encoder's positions, nor the budget of a micro-batch."""
    folder = make_pretrained(tmp_path)
    config, tokenizer = AutoConfig.from_pretrained(folder), load_tokenizer(str(folder))
    texts = ["a " * 3000] * 3

    def length(positions: int | None, **settings: Any) -> Any:
        found = settings_by_data(
            TrainConfig(**settings), str(folder), config, tokenizer, texts, positions=positions
        )
        return found["max_seq_length"]

    assert length(None) == length(8192) == 512
    assert length(512, max_tokens_per_micro_batch=300) == 300
    assert length(320, truncation="windows") == 320
