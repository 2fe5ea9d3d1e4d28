"""A pair of texts is a text: it is stored, compared and copied as one."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.text_pair import SEPARATOR, TextPair

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT, ANY_TEXT)
def test_both_texts_come_back(first, second):
    """From the pair, its value, a copy and a pickle; a separator in a text becomes a blank."""
    pair = TextPair(first, second)
    expected = (first.replace(SEPARATOR, " "), second.replace(SEPARATOR, " "))
    for same in (pair, TextPair.parse(str(pair)), copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert type(same) is TextPair
        assert (same.first, same.second) == expected
        assert same == SEPARATOR.join(expected)
        assert hash(same) == hash(SEPARATOR.join(expected))


def test_what_is_shown_is_both_texts():
    """As a failing test and a log at debug level show it."""
    assert repr(TextPair("a", "it's")) == """TextPair('a', "it's")"""


def test_a_single_text_is_no_pair():
    """The value of a pair always has a separator, even of two empty texts."""
    assert TextPair.parse(SEPARATOR).second == ""
    with pytest.raises(ValueError, match="no pair"):
        TextPair.parse("single")
