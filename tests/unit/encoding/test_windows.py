"""Documents longer than the model, cut into windows: all of the text, in order, each window as the model wants it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.fakes import make_pretrained

LENGTH, ROOM = 16, 14


@pytest.fixture(scope="module", params=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Return toy tokenizers of two kinds."""
    folder = make_pretrained(tmp_path_factory.mktemp("tokenizer"), request.param)
    return load_tokenizer(str(folder)).backend_tokenizer


def windows_of(encoded: EncodedTexts, text: int = 0) -> list[list[int]]:
    """Return the ids of each window of a text."""
    windows, _ = encoded.windows_of(np.array([text]))
    return [encoded.ids[encoded.offsets[w] : encoded.offsets[w + 1]].tolist() for w in windows]


def plain_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return all tokens of a text, special ones included."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_truncation()
    return own.encode(text).ids


@settings(max_examples=150)
@given(
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=4),
    overlap=st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    most=st.integers(1, 6),
)
def test_windows_hold_the_text_in_order(tokenizer, lengths, overlap, most):
    """Every window is framed and full, begins one step after the one before, and the last ends with the text."""
    texts = [" ".join(itertools.islice(itertools.cycle(["apple", "river", "of", "x"]), n)) for n in lengths]
    step = max(1, round(ROOM * (1 - overlap)))
    encoded = TextEncoder(tokenizer, 0, LENGTH, "windows", most, overlap).encode_batch(texts)
    assert len(encoded) == len(texts)
    for number, text in enumerate(texts):
        first, *inner, last = plain_ids(tokenizer, text)
        kept = inner[: ROOM + (most - 1) * step]
        assert encoded.truncated[number] == (len(kept) < len(inner))
        found = windows_of(encoded, number)
        assert all(ids[0] == first and ids[-1] == last for ids in found)
        if len(inner) <= ROOM:
            assert found == [[first, *inner, last]]
            continue
        starts = [*range(0, len(kept) - ROOM, step), len(kept) - ROOM]
        assert [ids[1:-1] for ids in found] == [kept[start : start + ROOM] for start in starts]
        assert len(found) <= most


def test_bookkeeping_of_windows(tokenizer):
    """Windows of chosen texts come text by text; a text's tokens are those of its windows; means are by text."""
    texts = ["apple " * n for n in (3, 50, 1, 20)]
    encoded = TextEncoder(tokenizer, 0, LENGTH, "windows", 8, 0.0).encode_batch(texts)
    windows, counts = encoded.windows_of(np.array([3, 0, 1]))
    assert counts.tolist() == [2, 1, 4]
    assert windows.tolist() == [6, 7, 0, 1, 2, 3, 4]
    assert encoded.text_lengths.tolist() == [sum(map(len, windows_of(encoded, text))) for text in range(4)]
    assert encoded.text_lengths[1] == 4 * LENGTH
    values = np.arange(16, dtype=np.float32).reshape(8, 2)
    means = encoded.mean_by_text(values)
    assert means.dtype == np.float32
    assert means[:, 0].tolist() == [0.0, 5.0, 10.0, 13.0]


@pytest.mark.parametrize("truncation", ["head", "windows"])
def test_texts_that_fit_are_one_window_each(tokenizer, truncation):
    """Without longer texts nothing is different from a text a row, whatever the setting."""
    encoded = TextEncoder(tokenizer, 0, LENGTH, truncation, 8, 0.2).encode_batch(["apple", "river of x"])
    assert encoded.bounds is None
    windows, counts = encoded.windows_of(np.array([1, 0, 1]))
    assert (windows.tolist(), counts.tolist()) == ([1, 0, 1], [1, 1, 1])
    values = np.array([[1.5], [2.5]])
    assert np.array_equal(encoded.mean_by_text(values), values)


@pytest.mark.parametrize("filler", ["apple river ", "a", "北京大学", " "])
def test_a_giant_text_makes_no_more_windows_than_allowed(tokenizer, filler):
    """Of megabytes as many windows are made as may be, and the text counts as cut."""
    encoder = TextEncoder(tokenizer, 0, LENGTH, "windows", 5, 0.2)
    encoded = encoder.encode_batch(["apple " + filler * (3_000_000 // len(filler)) + " river", "apple"])
    assert encoded.truncated.tolist() == [True, False]
    assert len(windows_of(encoded, 0)) <= 5
    assert encoded.lengths.max() <= LENGTH


@pytest.mark.parametrize(("truncation", "most"), [("head", 1), ("windows", 4)])
def test_the_cost_of_a_text_is_that_of_its_windows(tokenizer, truncation, most):
    """The estimate before tokenising is near the number of windows, and never above the possible maximum."""
    encoder = TextEncoder(tokenizer, 0, LENGTH, truncation, 4, 0.2)
    costs = [encoder.cost_of("abcd" * words) for words in (1, 14, 15, 30, 10_000)]
    assert costs[:2] == [3, 16]
    assert costs == sorted(costs)
    assert costs[-1] == most * LENGTH


def test_some_texts_taken_are_those_of_the_whole(tokenizer):
    """A copy of some texts has their windows, in the order asked for, whether texts have windows or not."""
    for truncation in ("windows", "head"):
        encoder = TextEncoder(tokenizer, 0, 8, truncation, 4, 0.25)
        whole = encoder.encode_batch(["a", "the old river " * 9, "b c", "wheel " * 11])
        taken = whole.take(np.array([3, 0, 1]))
        wanted = [windows_of(whole, text) for text in (3, 0, 1)]
        assert [windows_of(taken, text) for text in range(3)] == wanted
        assert taken.truncated.tolist() == whole.truncated[[3, 0, 1]].tolist()
