"""A channel's ids in a file: the same as in memory, chunk by chunk, at a peak of memory below their own size."""

import os
import signal
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from bert_classifier.encoding import token_file
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.encoding.token_file import encode_to_file, map_ids, share_of_id, write_ids
from bert_classifier.errors import PlatformError
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.fakes import make_pretrained, toy_rows
from support.patience import PATIENCE_S

LENGTH = 16
TEXTS = [
    *(text for _, text in toy_rows(200)),
    "\x00", "e\u0301\u0301", "\u200b", "\U0001f680" * 50, "北京" * 40, "\ufeffapple", "apple " * 9000, "a" * 20_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Return the toy tokenizer."""
    folder = make_pretrained(tmp_path_factory.mktemp("tokenizer"))
    return load_tokenizer(str(folder)).backend_tokenizer


@pytest.mark.parametrize("chars", [1, 300, 10**9])
@pytest.mark.parametrize("truncation", ["head", "head_tail", "windows"])
def test_ids_are_those_of_one_batch(tokenizer, tmp_path, monkeypatch, truncation, chars):
    """Every array and its type, wherever the chunks end; the ids are mapped, and cannot be changed."""
    monkeypatch.setattr(token_file, "_CHUNK_CHARS", chars)
    encoder = TextEncoder(tokenizer, 0, LENGTH, truncation, 4, 0.25)
    expected = encoder.encode_batch(TEXTS)
    reported: list[int] = []
    found = encode_to_file(encoder, TEXTS, tmp_path / "ids", reported.append)
    assert len(found) == len(TEXTS) == reported[-1]
    for field in ("ids", "offsets", "truncated", "bounds"):
        ours, wanted = getattr(found, field), getattr(expected, field)
        assert (ours is None) == (wanted is None), field
        assert ours is None or (ours.dtype == wanted.dtype and np.array_equal(ours, wanted)), field
    assert found.text_lengths.tolist() == expected.text_lengths.tolist()
    assert isinstance(found.ids, np.memmap)
    assert not found.ids.flags.writeable


def test_every_chunk_is_reported_and_may_be_the_last(tokenizer, tmp_path, monkeypatch):
    """The caller hears of each chunk, and what it raises ends the work there."""
    monkeypatch.setattr(token_file, "_CHUNK_TEXTS", 30)
    reported = []

    def on_chunk(done: int) -> None:
        reported.append(done)
        if done >= 90:
            raise LookupError

    with pytest.raises(LookupError):
        encode_to_file(TextEncoder(tokenizer, 0, LENGTH), TEXTS, tmp_path / "ids", on_chunk)
    assert reported == [30, 60, 90]


def test_a_chunk_is_bounded_by_characters(tokenizer, tmp_path):
    """Of giant texts, few make a chunk; of a text, what the tokenizer looks at counts."""
    long_texts = ["apple " * 1000] * 1000
    reported: list[int] = []
    encode_to_file(TextEncoder(tokenizer, 0, 512), long_texts, tmp_path / "ids", reported.append)
    assert len(reported) >= 1000 * 512 * 8 // 200_000


def test_memory_does_not_grow_with_the_tokens(tokenizer, tmp_path):
    """At the peak a token costs less than its own four bytes; in one batch it costs many times that."""
    texts = [f"{' '.join(['apple river'] * 25)} {number}" for number in range(20_000)]
    encoder = TextEncoder(tokenizer, 0, 64)

    tracemalloc.start()
    encoded = encode_to_file(encoder, texts, tmp_path / "ids", lambda _: None)
    peak, tokens = tracemalloc.get_traced_memory()[1], len(encoded.ids)
    tracemalloc.stop()
    assert tokens > 1_000_000
    assert peak < 4 * tokens


def test_a_full_disk_is_reported(tokenizer):
    """The environment's fault, with the place and the settings that mend it."""
    with pytest.raises(PlatformError, match=r"tokens .* cannot be written to /dev: No space left") as caught:
        encode_to_file(TextEncoder(tokenizer, 0, LENGTH), TEXTS, Path("/dev/full"), lambda _: None)
    assert_clear(caught.value)


def test_a_signal_does_not_wait_for_the_tokenizer(tokenizer, tmp_path):
    """What its handler raises leaves at once, while the library goes on with a text that takes it long."""
    release = threading.Event()
    waited_in_vain = []

    class Slow(TextEncoder):
        """Stands for a tokenizer with a giant text: returns when it is let."""

        def encode_batch(self, texts):
            os.kill(os.getpid(), signal.SIGALRM)  # to the process, as from outside
            if not release.wait(PATIENCE_S):
                waited_in_vain.append(texts)
            return super().encode_batch(texts)

    def leave(*_: object) -> None:
        raise LookupError

    before = signal.signal(signal.SIGALRM, leave)
    try:
        with pytest.raises(LookupError):
            encode_to_file(Slow(tokenizer, 0, LENGTH), TEXTS, tmp_path / "ids", lambda _: None)
    finally:
        release.set()
        signal.signal(signal.SIGALRM, before)
    assert waited_in_vain == []


def test_no_ids_at_all(tokenizer, tmp_path):
    """No text makes an empty file, which no system maps."""
    found = encode_to_file(TextEncoder(tokenizer, 0, LENGTH), [], tmp_path / "ids", lambda _: None)
    assert (len(found), found.ids.size, found.ids.dtype, found.offsets.tolist()) == (0, 0, np.int32, [0])


def test_what_is_mapped_from_a_file_is_not_copied_to_it(tmp_path):
    """Ids from elsewhere are written, those that lie there already stay."""
    ids = np.arange(5, dtype=np.int32)
    write_ids(ids, tmp_path / "ids")
    mapped, before = map_ids(tmp_path / "ids"), (tmp_path / "ids").stat()
    write_ids(mapped, tmp_path / "ids")
    assert mapped.tolist() == [0, 1, 2, 3, 4]
    assert (tmp_path / "ids").stat().st_mtime_ns == before.st_mtime_ns
    write_ids(mapped, tmp_path / "other")
    assert map_ids(tmp_path / "other").tolist() == [0, 1, 2, 3, 4]


def test_share_of_an_id_is_the_mean():
    """Counted in parts, to the last bit what numpy gives for the whole."""
    ids = np.random.default_rng(0).integers(0, 7, 3_000_001, dtype=np.int32)
    assert share_of_id(ids, 3) == float((ids == 3).mean())
    assert share_of_id(ids[:0], 3) == 0.0
