"""Tables in CSV bodies: first rows that are headers, columns by number, and rows that do not fit."""

import csv
import dataclasses
import gzip
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from support.clear_text import assert_clear
from support.csv_bodies import EMPTY, FORM, NONE, OPEN, REPEATED, TOO_WIDE, WIDTH, query, read


def fixed(setting: str, fields: TextFields = NONE, **changes: Any) -> CsvForm:
    """Return a form with the columns of a setting."""
    return dataclasses.replace(FORM, columns=FixedColumns.of(setting, fields), **changes)


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("label,text\nFilm,a plain text\n", ["a plain text"]),
        ("inputs\na plain text\nanother, one\n", ["a plain text", "another, one"]),
        ("label,inputs\nFilm,a\n", ["a"]),
        ("input\r\na\r\n", ["a"]),
        ("label,title,text\nFilm,t,a\nNo,u,\nNo,,\n", ["a", "u", EMPTY]),
        ("sep=;\r\nlabel;text\r\nFilm;a, b\r\n", ["a, b"]),
        ('\ufefflabel\ttext\nFilm\t5" wide\n', ['5" wide']),
        ('"label"|"text"\n"Film"|"a ""b"""\n', ['a "b"']),
        ("label,text\rFilm,a\rNo,b", ["a", "b"]),
        ('label,text\nFilm,"say \\"hi, you\\""\n', ['say "hi, you"']),
        ('label, "text"\nFilm, "a, b"\nNo, "c"\n', ["a, b", "c"]),
        ("label,text,,\nFilm,a,,\nNo,b,,\n", ["a", "b"]),
    ],
)
def test_a_header_needs_no_announcement(body, texts):
    """Its row has no answer, labels are ignored, and cells are separated and quoted as training reads them."""
    assert read(body) == read(body, header="present") == texts


def test_a_quote_that_opens_by_chance_between_tabs_loses_no_row():
    """But a cell that is quoted from the beginning may hold both tabs and line ends."""
    rows = "".join(f"Film\ta {number}\n" for number in range(300))
    texts = [f"a {number}" for number in range(300)]
    broken = 'No\t"so it begins\nNo\tmore\nNo\tends"\n'
    swallowed = "[a quote in it seems never to be closed: the cell holds tabs and line ends]"
    assert read(f"label\ttext\n{rows}{broken}") == [*texts, swallowed, "more", 'ends"']
    assert read('label\ttext\nFilm\t"\t\nb"\n') == ["\t\nb"]


def test_rows_that_do_not_fit_are_answered_in_their_place():
    """And do not affect the others."""
    body = 'label,text\nFilm,a\n\nNo\n,,\nNo,b, c\nlabel,text\nNo,"open\nFilm,\xff\nNo,z,\n'
    expected = [
        "a",
        EMPTY,
        WIDTH.format("1 cell", ""),
        EMPTY,
        TOO_WIDE,
        REPEATED,
        OPEN,
        "[the text is not UTF-8]",
        "z",
    ]
    assert read(body.encode("latin-1")) == expected


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("text\n", "there is no row below it"),
        pytest.param("\0,text,label\n", "it cannot be read", id="NUL"),
        ("text, created_at\nplease help\nhello\n", "most rows have not as many cells as it, 2"),
        ("review\nhotel\nreview\n", "its names occur in other rows too"),
    ],
)
def test_a_doubtful_header_must_be_announced(body, why):
    """Where nothing below it confirms it, it may be a text."""
    with pytest.raises(
        RequestError, match=f"looks like a header.*{why}.*header=present.*header=absent"
    ) as caught:
        read(body)
    assert_clear(caught.value)
    num_rows = len(body.splitlines())
    assert len(read(body, header="present")) == num_rows - 1
    assert len(read(body, header="absent")) == num_rows


def test_wide_or_long_first_rows_are_no_headers():
    """No table of texts has a thousand columns; without an announcement such a row is a text."""
    wide = "text" + "," * 1000
    assert read(f"{wide}\n") == [wide]
    with pytest.raises(RequestError, match="more than 1000 columns"):
        read(f"{wide}\n", header="present")
    assert len(read(f"text,{'a' * 100_000}\nx,y\n")) == 2


def test_numbers_of_the_training_hold_without_a_header():
    """Where the label is a class of the model; else two or three columns are taken as the reader takes them."""
    fields = TextFields(numbers=(("label_column", "1"), ("text_column", "6")))
    row = '"No","7","a date","none","a name","a text, quoted"\n'
    assert read(2 * row, fields=fields) == 2 * ["a text, quoted"]
    assert read("Film,a text\n", fields=fields) == ["a text"]
    swapped = TextFields(numbers=(("label_column", "2"), ("text_column", "1")))
    assert read("a text,Film\nanother,No\n", fields=swapped) == ["a text", "another"]
    titled = TextFields(numbers=(("label_column", "1"), ("text_column", "3"), ("title_column", "2")))
    assert read("Film,t,a\nNo,u,\n", fields=titled) == ["t a", "u"]
    for body in ("Film,t,a\n", "Film,a\n"):
        with pytest.raises(RequestError, match="begin with a class"):
            read(body, fields=TextFields("review", "headline"))
    with pytest.raises(RequestError, match="begin with a class"):
        read(2 * row + row.replace("No", "neither"), fields=fields)


def test_a_delimiter_of_the_training_is_known():
    """Where header or labels show it."""
    fields = TextFields("prose", "", "kind", delimiter="~")
    assert read("kind~prose\nx~a, b\n", fields=fields) == ["a, b"]
    assert read("a kind~of prose\n", fields=fields) == ["a kind~of prose"]
    numbered = TextFields(numbers=(("label_column", "2"), ("text_column", "1")), delimiter="@")
    assert read("a text, with more@Film\nanother@No\n", fields=numbered) == ["a text, with more", "another"]


@pytest.mark.parametrize(
    ("body", "form", "understood"),
    [
        ("a text\n", FORM, "one text per row"),
        ("a text\n", dataclasses.replace(FORM, is_part=True), "one text per row"),
        ("secret;text\nFilm;x\n", FORM, "header, text in column 2 of 2"),
        ("title,text,secret\nt,x,y\n", FORM, "header, text in column 2 of 3, title in column 1"),
        ("text\nsecret\n", FORM, "header, one text per row"),
        ("Film,secret\n", FORM, "no header, label in column 1, text in column 2 of 2"),
        ("Film,secret\n", fixed("label,text"), "columns as set, text in column 2 of 2"),
    ],
)
def test_what_was_understood_is_told_without_any_cell(body, form, understood):
    """For the log, which holds nothing of a request."""
    assert query(body, form).understood == understood


@pytest.mark.parametrize("media_type", ["text/csv", "text/plain", "application/jsonlines"])
@pytest.mark.parametrize(
    ("body", "what", "status", "code"),
    [
        ("label,text\nFilm,a\n".encode("utf-16"), "UTF-16", 400, "bad_encoding"),
        ("a text".encode("utf-32"), "UTF-32", 400, "bad_encoding"),
        (gzip.compress(b"a text\n", mtime=0), "compressed by gzip", 415, "unsupported_encoding"),
        (b"PAR1\0\0PAR1", "Parquet", 415, "unsupported_media_type"),
        (b"PK\x03\x04\0", "an Excel workbook or another ZIP archive", 415, "unsupported_media_type"),
    ],
)
def test_files_that_are_no_text_are_named(media_type, body, what, status, code):
    """Instead of an error for each of their lines."""
    with pytest.raises(RequestError, match=f"The body is {what}[.]") as caught:
        codec.decode(media_type, body, 10)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert_clear(caught.value)
    assert codec.decode(media_type, b"PAR1\n", 10).records


def test_any_bytes_are_answered_or_refused():
    """And a body of many rows that begins like a table ends with 413 like any other."""
    rows = io.StringIO()
    csv.writer(rows).writerows([["Film", f"a text, {number}"] for number in range(1001)])
    for begin in ("", "label,text\n"):
        with pytest.raises(RequestError, match="more than 1000 records"):
            read(begin + rows.getvalue())


@given(
    st.binary(max_size=80),
    st.sampled_from(["", "present", "absent"]),
    st.booleans(),
    st.sampled_from(["", "text", "a;text"]),
)
def test_hostile_bytes(body, header, is_part, setting):
    """Nothing but a refusal ends the reading."""
    _read_or_refused(body, header, is_part=is_part, setting=setting)


@given(
    st.text(st.sampled_from(list('a1",;|\t\r\n\\\0 ')), max_size=60),
    st.sampled_from(["label,text\n", "sep=;\n", "1,", "text;id\n"]),
)
def test_hostile_tables(body, begin):
    """However it begins."""
    for header in ("", "present"):
        _read_or_refused((begin + body).encode(), header, is_part=False, setting="")


REFUSALS = {"bad_csv", "bad_encoding", "bad_request", "unsupported_encoding", "unsupported_media_type"}


def _read_or_refused(body: bytes, header: str, *, is_part: bool, setting: str) -> None:
    form = fixed(setting, header=header, is_part=is_part)
    refused: list[RequestError] = []
    records: list[Any] = []
    try:
        records = query(body, form).records
    except RequestError as error:
        refused = [error]
    assert {error.code for error in refused} <= REFUSALS
    assert all(isinstance(record, str) or record.code == "bad_record" for record in records)
