"""Whatever labels and texts hold, and however csv or json writes them: they come back exactly, or are refused."""

import contextlib
import csv
import gzip
import io
import json
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError

Rows = Sequence[tuple[str, str]]  # (label, text)

# Characters that delimiters, quotes, line ends and encodings can go wrong with, and any others that UTF-8 can write.
_ODD = st.sampled_from(list(",;|\t\"'\n\\#=_[]{}:<>0 a.é£\u0301\u2028\u00a0🙂\ufeff"))
_ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
# What other forms of files, or headers, begin with.
_LOOKALIKES = st.sampled_from(
    ["__label__a ", "sep=;", '{"text": "', '[{"a": ', "label,text", "PAR1", "@relation", "<html", "text"]
)
_WESTERN = st.characters(codec="cp1252", exclude_characters="\0\r")
_NAMES = st.text(st.one_of(_ODD, _ANY), min_size=1, max_size=12)
_DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
_QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
_ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def rows_of(characters: st.SearchStrategy[str]) -> st.SearchStrategy[Rows]:
    """Return rows of a few labels that recur; each text has a letter, so that none is left out."""
    words = st.text(st.one_of(_ODD.filter(_is_western), characters), max_size=40)
    texts = st.one_of(words, st.builds(str.__add__, _LOOKALIKES, words))
    rows = st.tuples(st.sampled_from(["praise", "complaint", "Frage", "3", "not sure"]), texts)
    return st.lists(rows, min_size=4, max_size=30).map(
        lambda made: [(label, f"{text}x{number}") for number, (label, text) in enumerate(made)]
    )


def _is_western(character: str) -> bool:
    with contextlib.suppress(UnicodeEncodeError):
        return bool(character.encode("cp1252"))
    return False


def csv_of(
    header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, quoting: int, end: str
) -> str:
    """Return rows as the csv module writes them, line breaks within cells quoted."""
    file = io.StringIO()
    quoting = csv.QUOTE_ALL if end == "\r" else quoting  # the csv module leaves \n bare between such lines
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([header, *rows] if header else rows)
    return file.getvalue()


def pairs_in(name: str, content: bytes, settings: Mapping[str, str] | None = None) -> Rows | None:
    """Return what is read from a file, or None where it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            dataset = DbpediaDataset(DataFiles([path], ReaderSettings(**(settings or {}))))
        except UserError:
            return None
        items = (dataset[index] for index in range(len(dataset)))
        return [(label, text) for text, label in items if isinstance(label, str)]


def assert_read_or_refused(found: Rows | None, rows: Rows) -> None:
    """Assert that nothing was read wrong."""
    assert found is None or list(found) == list(rows)


@given(rows_of(_ANY), _DELIMITERS, _QUOTING, _ENCODINGS, _ENDS, st.booleans())
def test_csv_with_a_header_comes_back(rows, delimiter, quoting, encoding, end, is_gzip):
    """Every text of a file that names its columns is read as it was, and none is refused."""
    content = csv_of(["label", "text"], rows, delimiter, quoting, end).encode(encoding)
    found = pairs_in("data.csv", gzip.compress(content) if is_gzip else content)
    assert found == list(rows)


@given(rows_of(_ANY), _DELIMITERS, _QUOTING, st.permutations(["label", "text", "id", "created"]))
def test_the_order_of_columns_means_nothing(rows, delimiter, quoting, names):
    """Label and text are found among other columns, wherever they stand."""
    cells = [
        {"label": label, "text": text, "id": str(i), "created": "2026"}
        for i, (label, text) in enumerate(rows)
    ]
    content = csv_of(names, [[row[name] for name in names] for row in cells], delimiter, quoting, "\n")
    assert pairs_in("data.csv", content.encode()) == list(rows)


@given(rows_of(_WESTERN), _DELIMITERS, _QUOTING, _ENDS)
def test_a_code_page_comes_back_where_it_is_given(rows, delimiter, quoting, end):
    """With encoding=cp1252 each character is the one that was written; without it, nothing is read wrong."""
    content = csv_of(["label", "text"], rows, delimiter, quoting, end).encode("cp1252")
    assert pairs_in("data.csv", content, {"encoding": "cp1252"}) == list(rows)
    assert_read_or_refused(pairs_in("data.csv", content), rows)


@given(rows_of(_ANY), _DELIMITERS, _QUOTING, _ENDS)
def test_csv_without_a_header_is_never_read_wrong(rows, delimiter, quoting, end):
    """Label first and no header: read as it was, or refused; with every setting given, read."""
    content = csv_of([], rows, delimiter, quoting, end).encode()
    assert_read_or_refused(pairs_in("data.csv", content), rows)
    settings = {"header": "false", "delimiter": delimiter, "label_column": "1", "text_column": "2"}
    assert pairs_in("data.csv", content, settings) == list(rows)


@given(rows_of(_ANY), st.sampled_from(["data.jsonl", "data.json", "data.manifest"]), st.booleans())
def test_json_comes_back(rows, name, is_array):
    """An array or a line per object, whatever the file is called."""
    objects = [
        json.dumps({"text": text, "label": label}, ensure_ascii=len(text) % 2 > 0) for label, text in rows
    ]
    content = f"[{', '.join(objects)}]" if is_array else "\n".join(objects)
    assert pairs_in(name, content.encode()) == list(rows)


@given(st.lists(_NAMES, min_size=1, max_size=4), _DELIMITERS, _QUOTING)
def test_any_label_comes_back(names, delimiter, quoting):
    """A label is read as it was, without blanks around it and in one Unicode form, or the file is refused."""
    rows = [(names[i % len(names)], f"a text of some words, number {i}") for i in range(24)]
    expected = [(unicodedata.normalize("NFC", label.strip()), text) for label, text in rows]
    content = csv_of(["label", "text"], rows, delimiter, quoting, "\n")
    assert_read_or_refused(pairs_in("data.csv", content.encode()), expected)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_property_can_fail(end):
    """The comparison is of real content: a text that differs in its line ends only is another one."""
    found = pairs_in("data.csv", csv_of(["label", "text"], [["a", "x\ny"], ["b", "z"]], ",", 0, end).encode())
    assert found == [("a", "x\ny"), ("b", "z")]
    assert found != [("a", "x\r\ny"), ("b", "z")]
