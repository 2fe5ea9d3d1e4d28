"""The longer text of a pair, found without tokenising all of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.longer_texts import are_first_longer
from bert_classifier.encoding.text_encoder import TextEncoder
from support.toy_tokenizers import LAYOUTS, make_tokenizer

WORD_TEXTS = st.lists(st.sampled_from(["a", "of", "river", "Donaudampfschiff"]), max_size=60).map(" ".join)


def words_of(texts: Sequence[str]) -> list[list[int]]:
    """Return a token for each word."""
    return [[1] * len(text.split()) for text in texts]


@given(st.lists(st.tuples(WORD_TEXTS, WORD_TEXTS), max_size=5))
def test_counts_decide_within_the_limit(pairs):
    """Whole texts are compared, whatever characters were read at first."""
    heads = [
        [len(text[:10].split()[:-1]) if len(text) > 10 else len(text.split()) for text in both]
        for both in pairs
    ]
    longer = are_first_longer(words_of, pairs, heads, 10)
    assert longer == [len(first.split()) > len(second.split()) for first, second in pairs]


@pytest.mark.parametrize(
    ("first", "second", "is_longer"),
    [
        ("river " * 600, "a " * 1700, True),  # more characters, though fewer tokens
        ("a " * 1700, "river " * 600, False),
        ("a " * 1700, "a " * 1700, False),
        ("a " * 10, "river " * 500, False),  # known: one has ended
        ("river " * 500, "a " * 10, True),
    ],
)
def test_characters_decide_beyond_it(first, second, is_longer):
    """Of two texts that have not ended within the characters that are read."""
    heads = [[len(text[:10].split()) for text in (first, second)]]
    assert are_first_longer(words_of, [(first, second)], heads, 10) == [is_longer]


class Counting(TextEncoder):
    """An encoder that counts what it tokenises."""

    characters = calls = 0

    def _tokenize(self, texts):
        self.characters += sum(map(len, texts))
        self.calls += 1
        return super()._tokenize(texts)


def cost_of(length: int, pairs: list[TextPair]) -> tuple[int, int]:
    """Return the characters and calls of the tokenizer for pairs in windows of a length."""
    encoder = Counting(make_tokenizer(LAYOUTS["bert"]), 0, length, pair_truncation="longest_first")
    encoder.characters = encoder.calls = 0
    encoder.encode_batch(pairs)
    return encoder.characters, encoder.calls


def test_an_odd_window_costs_no_multiple_of_the_text():
    """Giant texts are read a few times farther than for an even window, and all pairs of a batch together."""
    pairs = [TextPair("apple river " * 10_000, "river apple " * 10_000)] * 20
    even, odd = (cost_of(length, pairs) for length in (257, 256))  # beside 3 special tokens
    assert odd[0] <= 7 * even[0]
    assert odd[1] <= even[1] + 2
    short = [TextPair("apple " * 300, "river " * 290)] * 20  # read to their ends already
    assert cost_of(256, short)[1] == 1
