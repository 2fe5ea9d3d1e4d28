"""Lengths of texts that were cut, and the histogram of lengths."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.doctor import lengths
from bert_classifier.data.doctor.lengths import whole_lengths
from bert_classifier.data.doctor.report import Histogram, TokenCounts
from bert_classifier.encoding.text_encoder import TextEncoder
from support.fakes import make_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    """Return the toy tokenizer."""
    return make_tokenizer()


def texts_of(*words: int) -> list[str]:
    """Return texts of so many words, each of which is one token."""
    return [" ".join(["apple"] * count) for count in words]


@pytest.mark.parametrize("truncation", ["head", "head_tail", "windows"])
def test_short_data_are_counted_exactly(tokenizer, truncation):
    """Cut or not, in one window or several: the length is that of the whole text, [CLS] and [SEP] counted once."""
    encoder = TextEncoder(tokenizer.backend_tokenizer, 0, 16, truncation, 3, 0.2)
    texts = texts_of(1, 14, 15, 40, 500)
    assert whole_lengths(encoder, texts, encoder.encode_batch(texts)).tolist() == [3, 16, 17, 42, 502]


def test_more_than_the_budget_is_estimated(tokenizer, monkeypatch):
    """Of much text a sample is counted; the others follow from their characters, and no cut text counts as whole."""
    monkeypatch.setattr(lengths, "_MOST_CHARS", 2000)
    encoder = TextEncoder(tokenizer.backend_tokenizer, 0, 16)
    words = [*range(30, 130), 3]
    texts = texts_of(*words)
    counted = whole_lengths(encoder, texts, encoder.encode_batch(texts))
    assert np.allclose(counted, np.array(words) + 2, rtol=0.1)
    assert counted[-1] == 5
    assert counted[:-1].min() > 16


def test_a_giant_text_is_estimated_from_its_beginning(tokenizer, monkeypatch):
    """One text cannot cost more than its share."""
    monkeypatch.setattr(lengths, "_MOST_CHARS_OF_ONE", 600)
    encoder = TextEncoder(tokenizer.backend_tokenizer, 0, 16)
    texts = texts_of(100_000, 20)
    counted = whole_lengths(encoder, texts, encoder.encode_batch(texts))
    assert counted[0] == pytest.approx(100_000, rel=0.1)
    assert counted[1] == 22


@given(st.lists(st.integers(2, 100_000), min_size=1, max_size=200))
def test_histogram_counts_every_text(values):
    """Every length lies in one bin, edges rise, and there are about two dozen bins at most."""
    histogram = Histogram.of(np.array(values))
    edges = np.array(histogram.edges)
    assert len(histogram.counts) == len(edges) - 1 <= 26
    assert (np.diff(edges) > 0).all()
    assert sum(histogram.counts) == len(values)
    expected = [sum(low <= value < high for value in values) for low, high in itertools.pairwise(edges)]
    assert histogram.counts == expected


@given(st.lists(st.integers(2, 600), min_size=1, max_size=200), st.integers(8, 512))
def test_the_last_bin_begins_beyond_the_limit(values, limit):
    """Where texts are cut, the bin of all that is longer holds none that is not, unless most texts are far shorter."""
    histogram = Histogram.of(np.array(values), limit)
    edges = histogram.edges
    width = edges[1] - edges[0]
    assert sum(histogram.counts) == len(values)
    if max(values) > limit and edges[-1] - edges[-2] > width and limit <= 60 * width:
        assert edges[-2] >= limit


def test_counts_summarise_lengths():
    """Percentiles are lengths that occur; the share is that of the texts that are cut."""
    counts = TokenCounts.of(np.arange(1, 101), np.arange(100) >= 75)
    assert (counts.mean, counts.p50, counts.p90, counts.p99, counts.max) == (50.5, 51, 91, 100, 100)
    assert counts.truncated_share == 0.25
