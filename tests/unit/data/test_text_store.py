"""Texts in a temporary file behave like a list of strings, and leave nothing behind."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.text_pair import TextPair
from bert_classifier.data.text_store import Texts, TextWriter
from bert_classifier.errors import PlatformError
from support.clear_text import assert_clear

SAMPLE = [
    "",
    "one",
    "zwei Wörter",
    "三",
    "👍🏽",
    "line\r\nbreak",
    "nul \0 in it",
    "half \ud83d of a pair",
    "x" * 300,
]


def written(texts: Sequence[str], folder: Path | None = None) -> Texts:
    """Return the texts, written one by one."""
    writer = TextWriter(folder)
    for text in texts:
        writer.append(text)
    return writer.finish()


@given(st.lists(st.text(st.characters(codec=None))), st.slices(12), st.slices(12))
def test_texts_are_a_sequence_of_strings(given_texts, first, second):
    """Length, items, iteration and slices of slices are those of a list, with lone surrogates."""
    texts = written(given_texts)
    assert len(texts) == len(given_texts)
    assert list(texts) == given_texts
    assert [texts[index] for index in range(-len(texts), len(texts))] == given_texts * 2
    assert list(texts[first][second]) == given_texts[first][second]
    assert texts[first].sizes.tolist() == [
        len(t.encode("utf-8", "surrogatepass")) for t in given_texts[first]
    ]


def test_an_index_outside_is_an_error():
    """As with a list; so loops by index end."""
    texts = written(["a"])
    for index in (1, -2):
        with pytest.raises(IndexError):
            texts[index]


@given(st.data())
def test_some_are_taken_in_any_order(data):
    """`take` of a `take` of a slice gives what these indices give of a list."""
    texts, expected = written(SAMPLE)[1:], SAMPLE[1:]
    for _ in range(2):
        indices = data.draw(st.lists(st.integers(0, max(0, len(expected) - 1)), max_size=9 * bool(expected)))
        texts, expected = texts.take(np.array(indices, dtype=np.int64)), [expected[i] for i in indices]
        assert list(texts) == expected
        assert texts[::-1][:3].sizes.tolist() == [
            len(t.encode("utf-8", "surrogatepass")) for t in expected[::-1][:3]
        ]


def test_a_copy_and_a_file_hold_the_same(tmp_path):
    """`of` copies any texts; `save` writes only those chosen, and `load` maps them."""
    chosen = Texts.of(iter(SAMPLE)).take(np.array([7, 0, 2]))
    chosen.save(tmp_path / "texts")
    assert list(Texts.load(tmp_path / "texts")) == [SAMPLE[7], SAMPLE[0], SAMPLE[2]]
    assert (tmp_path / "texts").stat().st_size == sum(chosen.sizes)
    Texts.of([]).save(tmp_path / "none")
    assert list(Texts.load(tmp_path / "none")) == []


def parts_of(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the parts of pairs."""
    pairs = [text for text in texts if isinstance(text, TextPair)]
    return [(pair.first, pair.second) for pair in pairs]


def test_pairs_stay_pairs(tmp_path):
    """Items, iteration, slices, `take`, copies and files give TextPairs back; single texts saved later stay single."""
    pairs = [TextPair(first, second) for first, second in zip(SAMPLE, reversed(SAMPLE), strict=True)]
    texts = written(pairs)
    some = Texts.of(texts[1:].take(np.array([7, 0, 2])))
    some.save(tmp_path / "texts")
    loaded = Texts.load(tmp_path / "texts")
    for found, expected in [(texts, pairs), (some, [pairs[8], pairs[1], pairs[3]]), (loaded, list(some))]:
        assert found.is_paired
        assert list(found) == expected
        assert parts_of(found) == parts_of(expected)
    assert parts_of(loaded)[-1] == (SAMPLE[3], SAMPLE[5])
    written(SAMPLE).save(tmp_path / "texts")
    assert not Texts.load(tmp_path / "texts").is_paired


def test_pairs_and_single_texts_are_not_mixed():
    """Neither could be told from the other when they are read again."""
    for texts in (["one", TextPair("a", "b")], [TextPair("a", "b"), "a\x1fb"]):
        with pytest.raises(ValueError, match="cannot stand in one file"):
            written(texts)


def test_the_file_has_no_name(tmp_path):
    """Nothing is left in the folder, even if the process is killed; the texts outlive their writer."""
    texts = written(SAMPLE * 1000, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert texts[-1] == SAMPLE[-1]


def test_tmpdir_is_honoured(tmp_path):
    """The file is in TMPDIR: where a disk is full, the message names that folder."""
    code = "from bert_classifier.data.text_store import TextWriter; TextWriter()"
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": "container"}
    traced = f"import sys; sys.addaudithook(lambda e, a: e == 'open' and print(a[0])); {code}"
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", traced], cwd=root, env=environ, capture_output=True, text=True
    )
    assert str(tmp_path) in ran.stdout, ran.stderr


def test_memory_does_not_grow_with_the_texts():
    """50 MB of texts cost a few bytes each."""
    code = """
import resource, sys
from bert_classifier.data.text_store import TextWriter
writer = TextWriter()
def private(): return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon"))
before = private()
for number in range(50_000): writer.append(f"{number} " * 200)
texts = writer.finish()
assert sum(map(len, texts)) > 5e7
print(private() - before)
"""
    root = Path(__file__).parents[3] / "container"
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert int(ran.stdout) < 6000, ran.stderr  # kB; as a list: 55,000


def test_a_full_disk_is_the_platforms_fault(tmp_path):
    """The message names the folder, the reason and what gives more room, whether at a text or at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer, short = TextWriter(tmp_path), TextWriter(tmp_path)
    short.append("x" * 100_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(PlatformError) as at_text:
            writer.append("x" * 2_000_000)  # more than is buffered
        with pytest.raises(PlatformError) as at_end:
            short.finish()
        with pytest.raises(PlatformError) as saving:
            Texts(b"x" * 100_000, np.array([0, 100_000])).save(tmp_path / "texts")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for failure in (at_text, at_end, saving):
        assert_clear(failure.value)
        for part in (str(tmp_path), "File too large", "volume_size", "TMPDIR"):
            assert part in str(failure.value)


def test_a_missing_folder_is_the_platforms_fault(tmp_path):
    """As a full disk is."""
    with pytest.raises(PlatformError) as failure:
        TextWriter(tmp_path / "absent")
    assert_clear(failure.value)
    assert "absent" in failure.value.cause
