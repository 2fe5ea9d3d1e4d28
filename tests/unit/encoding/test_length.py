"""The automatic max_seq_length."""

import logging

import numpy as np
import pytest

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.length import automatic_length, count_lost, length_for, log_tokens
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.fakes import make_pretrained


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("encoder")
    make_pretrained(folder)
    return load_tokenizer(str(folder)).backend_tokenizer


def encoder(tokenizer: object, most: int) -> TextEncoder:
    return TextEncoder(tokenizer, 0, most)  # type: ignore[arg-type]


def texts(*words: int) -> list[str]:
    """Return texts of so many words, each of them one token."""
    return [" ".join(["a"] * count) for count in words]


@pytest.mark.parametrize(
    ("words", "most", "chosen"),
    [
        ([3] * 100, 512, 256),
        ([254] * 100, 512, 256),
        ([255] * 100, 512, 272),
        ([3] * 99 + [400], 512, 256),  # one of a hundred may be cut
        ([3] * 98 + [400] * 2, 512, 416),
        ([3000] * 5, 512, 512),
        ([400] * 5, 300, 300),
        ([400] * 5, 64, 64),
    ],
)
def test_it_keeps_nearly_all_texts_whole(tokenizer: object, words: list[int], most: int, chosen: int) -> None:
    """At least 256 tokens, in steps of 16, and no more than the encoder of texts allows."""
    assert automatic_length(encoder(tokenizer, most), texts(*words)) == chosen


def test_of_many_texts_it_looks_at_an_evenly_spaced_sample(tokenizer: object) -> None:
    """Long texts that are half of 10,000 count wherever they are."""
    assert automatic_length(encoder(tokenizer, 512), texts(*[300] * 5000, *[3] * 5000)) == 304
    assert automatic_length(encoder(tokenizer, 512), texts(*[3] * 5000, *[300] * 5000)) == 304


def test_it_says_what_was_chosen_and_how_many_texts_are_whole(
    tokenizer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """What is cut counts as not whole, also where no length would do."""
    caplog.set_level(logging.INFO)
    automatic_length(encoder(tokenizer, 512), texts(*[3] * 90, *[600] * 10))
    assert "max_seq_length=512, which keeps 90.0 % of them whole (more than 512 tokens, " in caplog.text


def test_nothing_is_said_of_short_texts(tokenizer: object, caplog: pytest.LogCaptureFixture) -> None:
    """The usual length needs no line of the log."""
    caplog.set_level(logging.INFO)
    automatic_length(encoder(tokenizer, 512), texts(3, 4))
    assert not caplog.text


def test_99_percent_are_no_longer() -> None:
    """Of 1,000 different lengths, ten may be longer."""
    lengths = np.arange(1, 1001)
    assert length_for(lengths) == 992
    assert (lengths <= 992).mean() >= 0.99


def of_pairs(tokenizer: object, cut: str) -> TextEncoder:
    """Return an encoder of text pairs in windows of 16 tokens."""
    return TextEncoder(tokenizer, 0, 16, pair_truncation=cut, has_token_types=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cut", "lost"), [("only_second", 1), ("longest_first", 0)])
def test_only_second_texts_that_were_there_are_lost(
    tokenizer: object, caplog: pytest.LogCaptureFixture, cut: str, lost: int
) -> None:
    """A second text that is empty, or has no token, is no loss; longest_first is advised where it would help."""
    long, short = texts(40, 3)
    pairs = [TextPair(long, second) for second in ("", " ", "\u200b")] + [
        TextPair(long, short),
        TextPair(short, long),
    ]
    encoder_of_pairs = of_pairs(tokenizer, cut)
    encoded = encoder_of_pairs.encode_batch(pairs)
    assert encoded.truncated.all()
    assert count_lost(encoder_of_pairs, encoded, pairs) == lost
    caplog.set_level(logging.INFO)
    log_tokens(encoder_of_pairs, encoded, pairs, "train")
    assert ("the first text of 1 pair fills" in caplog.text) is bool(lost)
    assert ("pair_truncation=longest_first" in caplog.text) is bool(lost)
