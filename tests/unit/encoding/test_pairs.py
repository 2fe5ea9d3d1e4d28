"""Text pairs as transformers' fast tokenizer encodes and cuts them, of every kind of tokenizer."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, processors

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.frames import PairFrame
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.encoding.token_file import encode_to_file
from bert_classifier.errors import UserError
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.toy_tokenizers import LAYOUTS, make_tokenizer

KINDS = ("albert", "bert", "deberta", "modernbert", "mpnet", "roberta", "xlm-roberta")
LENGTHS = (16, 17)  # room for an even and an odd number of tokens
WORDS = st.sampled_from(
    ["apple", " river", "the ", "[SEP]", "</s>", "北京", "👨‍👩‍👧", "e\u0301", "\n", "\xa0", "ß ", ""]
)
PARTS = st.lists(
    st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), max_size=40
).map("".join)
REPEATED = st.tuples(PARTS, st.sampled_from([1, 1, 1, 2, 8])).map(lambda both: both[0] * both[1])


@pytest.fixture(scope="module")
def tokenizer_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Return what loads transformers' tokenizer of a kind."""

    @functools.cache
    def load(kind: str) -> Any:
        return load_tokenizer(str(make_encoder(tmp_path_factory.mktemp(kind), kind)))

    return load


@functools.cache
def encoder_of(tokenizer: Any, length: int, pair_truncation: str = "longest_first") -> TextEncoder:
    """Return the encoder of pairs, with token types."""
    return TextEncoder(
        tokenizer.backend_tokenizer, 0, length, pair_truncation=pair_truncation, has_token_types=True
    )


def seconds_of(encoded: EncodedTexts) -> list[int]:
    """Return where the tokens of type 1 begin, for an encoder that gives them."""
    assert encoded.seconds is not None
    numbers: list[int] = encoded.seconds.tolist()
    return numbers


def types_of(encoded: EncodedTexts) -> list[int]:
    """Return the token types of the only pair."""
    length = int(encoded.lengths[0])
    return [0] * length if encoded.seconds is None else (np.arange(length) >= encoded.seconds[0]).tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", LENGTHS)
@settings(deadline=None, max_examples=25)
@given(first=REPEATED, second=REPEATED)
def test_pairs_are_what_transformers_makes_of_them(tokenizer_of, kind, length, first, second):
    """Ids, token types and the cut with truncation=True, of any two texts, empty ones and long ones among them."""
    tokenizer = tokenizer_of(kind)
    pair = TextPair(first, second)
    encoded = encoder_of(tokenizer, length).encode_batch([pair])
    both = (
        [pair.first],
        [pair.second],
    )  # not as strings: then transformers takes an empty second text for none
    expected = tokenizer(*both, truncation=True, max_length=length, return_token_type_ids=True)
    assert [encoded.ids.tolist()] == expected["input_ids"]
    assert [types_of(encoded)] == expected["token_type_ids"]
    (whole,) = tokenizer(*both)["input_ids"]
    assert encoded.truncated.tolist() == [len(whole) > length]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25)
@given(first=REPEATED, second=REPEATED)
def test_only_the_second_text_is_cut(tokenizer_of, kind, first, second):
    """As by truncation="only_second"; where transformers refuses a pair, the first text alone fills the window."""
    tokenizer = tokenizer_of(kind)
    pair = TextPair(first, second)
    encoded = encoder_of(tokenizer, 16, "only_second").encode_batch([pair])
    cut = functools.partial(tokenizer, [pair.first], [pair.second], truncation="only_second", max_length=16)
    frame = PairFrame.of(tokenizer.backend_tokenizer)
    first, second = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (pair.first, pair.second)
    )
    if len(first) < 16 - frame.size or (len(first) == 16 - frame.size and not second):
        assert [encoded.ids.tolist()] == cut()["input_ids"]
        return
    with pytest.raises(Exception, match="Truncation error"):
        cut()
    assert encoded.ids.tolist() == list(frame.around(first[: 16 - frame.size], []))
    assert encoded.truncated.all()


# Not both of them longer: the library's memory grows with the product of their lengths.
GIANTS = [("apple " * 300, "river of x " * 100), ("x" * 30_000, "apple"), ("", "the " * 50_000)]


@pytest.mark.parametrize("texts", GIANTS, ids=["both", "first", "second"])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_giant_texts_are_cut_as_others(tokenizer_of, kind, texts):
    """Though only a part of them is tokenised."""
    tokenizer = tokenizer_of(kind)
    for length in LENGTHS:
        encoded = encoder_of(tokenizer, length).encode_batch([TextPair(*texts)])
        expected = tokenizer([texts[0]], [texts[1]], truncation=True, max_length=length)["input_ids"]
        assert [encoded.ids.tolist()] == expected


@pytest.mark.parametrize(("of_first", "of_second"), [(7, 6), (6, 7), (6, 6)])
def test_the_longer_text_gets_the_odd_token(tokenizer_of, of_first, of_second):
    """Of two that are much longer than the window; of equally long ones the second, as in the library."""
    tokenizer = tokenizer_of("bert")
    texts = "apple " * 200 * of_first, "river " * 200 * of_second
    encoded = encoder_of(tokenizer, 16).encode_batch([TextPair(*texts)])  # beside 3 special tokens
    apple, river = (tokenizer.convert_tokens_to_ids(word) for word in ("apple", "river"))
    kept = [encoded.ids.tolist().count(number) for number in (apple, river)]
    assert kept == ([7, 6] if of_first > of_second else [6, 7])


def test_many_pairs_are_the_same_as_each_alone(tokenizer_of, tmp_path):
    """In a batch, in a file that is written by chunks, and in any selection; lengths of whole pairs are counted."""
    pairs = [TextPair("apple " * n, "river of x " * (7 - n)) for n in range(8)] * 700
    tokenizer = tokenizer_of("bert")
    encoder = encoder_of(tokenizer, 17)
    together = encoder.encode_batch(pairs)
    filed = encode_to_file(encoder, pairs, tmp_path / "ids", lambda _: None)
    for found in (filed, together.take(np.arange(len(pairs)))):
        for field in ("ids", "offsets", "truncated", "seconds"):
            np.testing.assert_array_equal(getattr(found, field), getattr(together, field))
    some = np.array([3, 0, 6])
    alone = [encoder.encode_batch([pairs[index]]) for index in some.tolist()]
    assert together.take(some).ids.tolist() == [number for one in alone for number in one.ids.tolist()]
    assert seconds_of(together.take(some)) == [number for one in alone for number in seconds_of(one)]
    whole = [
        len(ids)
        for ids in tokenizer([p.first for p in pairs[:8]], [p.second for p in pairs[:8]])["input_ids"]
    ]
    assert encoder.count_tokens(pairs[:8]).tolist() == whole
    assert seconds_of(encoder.encode_batch([])) == []


def test_types_are_given_only_to_models_that_take_them(tokenizer_of):
    """And only where the tokenizer has them: RoBERTa's calls all tokens alike."""
    bert, roberta = tokenizer_of("bert"), tokenizer_of("roberta")
    pair = [TextPair("apple", "river")]
    assert seconds_of(encoder_of(bert, 16).encode_batch(pair)) == [3]
    without = TextEncoder(bert.backend_tokenizer, 0, 16, pair_truncation="longest_first")
    assert without.encode_batch(pair).seconds is None
    assert encoder_of(roberta, 16).encode_batch(pair).seconds is None


def test_an_encoder_takes_pairs_or_single_texts(tokenizer_of):
    """What calls it has refused the others by name."""
    tokenizer = tokenizer_of("bert")
    with pytest.raises(ValueError, match="for text pairs, and not for a single text"):
        encoder_of(tokenizer, 16).encode_batch([TextPair("a", "b"), "a\x1fb"])
    with pytest.raises(ValueError, match="for single texts, and not for a text pair"):
        TextEncoder(tokenizer.backend_tokenizer, 0, 16).encode_batch([TextPair("a", "b")])


def template(pair: str) -> Tokenizer:
    """Return a tokenizer with this template for pairs."""
    tokenizer = Tokenizer.from_str(_toy().to_str())
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=pair, special_tokens=ids
    )
    return tokenizer


@functools.cache
def _toy() -> Tokenizer:
    return make_tokenizer(LAYOUTS["bert"])


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("[CLS] $B [SEP] $A [SEP]", "puts the second text of a pair before the first"),
        (
            "[CLS]:2 $A:0 [SEP]:0 $B:1 [SEP]:1",
            "other token types than 0 for the first text and 1 for the second",
        ),
        (
            "[CLS]:0 $A:1 [SEP]:1 $B:0 [SEP]:0",
            "other token types than 0 for the first text and 1 for the second",
        ),
    ],
)
def test_a_frame_that_cannot_be_kept_is_refused(pair, said):
    """Such as Funnel's third type for its first token: a model of pairs would read something else than it should."""
    with pytest.raises(UserError, match=said) as caught:
        TextEncoder(template(pair), 0, 16, pair_truncation="longest_first", has_token_types=True)
    assert_clear(caught.value)


def test_a_window_without_room_for_two_texts_is_refused():
    """Three special tokens, and one token of each text at least."""
    with pytest.raises(UserError, match="Set max_seq_length to 5 or more"):
        TextEncoder(_toy(), 0, 4, pair_truncation="longest_first")
    assert TextEncoder(_toy(), 0, 5, pair_truncation="longest_first").num_special == 3


def test_each_kind_has_its_own_separators(tokenizer_of):
    """The frame is the tokenizer's own, not one that follows from a family's name: one token between texts, or two."""
    sizes = {
        kind: len(PairFrame.of(tokenizer_of(kind).backend_tokenizer).middle) for kind in ("bert", "roberta")
    }
    assert sizes == {"bert": 1, "roberta": 2}


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_padding_and_truncation_of_the_tokenizer_are_not_part_of_the_frame(tokenizer_of, kind):
    """Sentence encoders' tokenizer.json pads every text to 128 tokens; the file stays as it is."""
    tokenizer = tokenizer_of(kind).backend_tokenizer
    plain = PairFrame.of(tokenizer)
    padded = Tokenizer.from_str(tokenizer.to_str())
    padded.enable_padding(length=128)
    padded.enable_truncation(4)
    assert PairFrame.of(padded) == plain
    assert (padded.padding or {})["length"] == 128
