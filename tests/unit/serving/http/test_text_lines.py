"""Lines of plain text: each is a text, or one behind a label of fastText."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.records import RowError
from bert_classifier.data.table import Row, open_table
from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from support.clear_text import assert_clear


def read(body: str) -> list[str]:
    """Return the records of a body; errors in brackets."""
    records = codec.decode("text/plain", body.encode(), 1000).records
    return [record if isinstance(record, str) else f"[{record.error}]" for record in records]


def test_labels_of_fasttext_are_left_out():
    """Where at least half of the lines have one; one without is answered by what is wrong, and affects no other."""
    missing = "[the line does not begin with __label__, as others do]"
    body = "__label__praise  nice, really \r\n\n __label__a __label__b two\nplain\n__label__a\n__label__x: __label__ y"
    empty = "[the text is empty]"
    assert read(body) == ["nice, really", empty, "two", missing, empty, "y"]
    assert codec.decode("text/plain", body.encode(), 9).understood == "lines of fastText, labels left out"


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("__label__a one\ntwo\n", ["one", "[the line does not begin with __label__, as others do]"]),
        ("first text\rsecond text\rthird\r", ["first text", "second text", "third"]),
        ("a\r\r\nb\r\r\n", ["a", "b"]),
        ("[deleted]\n{smile}\n[1]\n", ["[deleted]", "{smile}", "[1]"]),
    ],
)
def test_labels_in_half_of_the_lines_and_unusual_line_ends(body, texts):
    """There are as many answers as lines."""
    assert read(body) == texts


@pytest.mark.parametrize("media_type", ["text/plain", "text/csv"])
@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"inputs":"a"}', "application/json"),
        ('\ufeff [\n"a",\n"b"\n]\n', "application/json"),
        ('{\n  "inputs": "a"\n}', "application/json"),
        ('{"text":"a"}\n\n{"text":"b"}\r\n', "application/jsonlines"),
        (json.dumps({"inputs": ["a" * 200_000]}), "application/json"),
        (2 * f'{{"text":"{"a" * 200_000}"}}\n', "application/jsonlines"),
    ],
)
def test_json_is_not_classified_as_texts(media_type, body, wanted):
    """A client that forgets the Content-Type is told which one it needs."""
    with pytest.raises(RequestError, match=f"The body is JSON.*{wanted};") as caught:
        codec.decode(media_type, body.encode(), 1000)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert_clear(caught.value)


@pytest.mark.parametrize("media_type", ["text/plain", "text/csv"])
def test_one_row_of_json_fails_no_batch_transform(media_type):
    """It is answered with what is wrong; several are refused."""
    part = CsvForm(is_part=True)
    (record,) = codec.decode(media_type, b'{"text": "a"}\n', 10, part).records
    assert not isinstance(record, str)
    assert record.error.startswith("the body is JSON")
    with pytest.raises(RequestError, match="application/jsonlines"):
        codec.decode(media_type, b'{"text": "a"}\n{"text": "b"}\n', 10, part)


@pytest.mark.parametrize("media_type", ["text/plain", "text/csv"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_another_encoding_is_named_with_what_to_send(media_type, encoding):
    """With a mark or without; a NUL by itself is no sign of it."""
    with pytest.raises(RequestError, match=f"The body .*UTF-.*charset={encoding}") as caught:
        codec.decode(media_type, "some text\nanother\n".encode(encoding), 1000)
    assert caught.value.code == "bad_encoding"
    assert codec.decode(media_type, b"a\0b and more text\n", 1000).records


def test_texts_about_labels_are_texts():
    """As are all lines where less than half of them have a label."""
    for body in ["a __label__x b\n", "one\n__label__a two\nthree\n"]:
        assert read(body) == body.splitlines()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "praise", "1", "é"]),
            st.sampled_from([" ", "  ", "\t"]),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=20),
        ),
        min_size=4,
        max_size=12,
    )
)
def test_a_file_of_fasttext_is_classified(lines):
    """The texts are those that training reads."""
    body = "".join(f"__label__{label}{blank}x{text}\n" for label, blank, text in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.txt"
        path.write_bytes(body.encode())
        rows = list(open_table(path).rows())
    expected = [row.text if isinstance(row, Row) else row for row in rows]
    assert not any(isinstance(row, RowError) for row in rows)
    assert read(body) == expected
