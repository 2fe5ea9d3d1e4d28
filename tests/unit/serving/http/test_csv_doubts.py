"""CSV bodies whose columns or rows are in doubt: read as training reads them, or refused, never guessed."""

import dataclasses
from typing import Any

import pytest

from bert_classifier.data.as_trained import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from support.clear_text import assert_clear

FORM = CsvForm.of("", ("Alpha", "Beta", "Gamma"), is_part=False)


def read(body: str, form: CsvForm = FORM, **changes: Any) -> list[str]:
    """Return the records of a body; errors in brackets."""
    records = codec.decode("text/csv", body.encode(), 1000, dataclasses.replace(form, **changes)).records
    return [record if isinstance(record, str) else f"[{record.error}]" for record in records]


def refused(body: str, form: CsvForm = FORM, **changes: Any) -> str:
    """Return the message with which a body is refused."""
    with pytest.raises(RequestError) as caught:
        read(body, form, **changes)
    assert (caught.value.status, caught.value.code) == (400, "bad_csv")
    assert_clear(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("text,label\r\r\na,Alpha\r\r\nb,Beta\r\r\n", ["a", "b"]),
        ("first text\rsecond text\rthird text\r", ["first text", "second text", "third text"]),
        ('"a"\r"b, c"\r', ["a", "b, c"]),
        ("first text\r\r\nsecond text\r\r\n", ["first text", "second text"]),
        ("\ufeff\ufefftext,label\na b,Alpha\n", ["a b"]),
        ("Alpha\t, but no thanks\n", [", but no thanks"]),
        (
            'text\tlabel\n"line one\tx\nline two"\tAlpha\nfoo bar\tBeta\n',
            ["line one\tx\nline two", "foo bar"],
        ),
    ],
)
def test_rows_end_where_the_writer_ended_them(body, texts):
    """As many answers as rows, whatever the line ends and the cells hold."""
    assert read(body) == texts


@pytest.mark.parametrize("name", ["label", "Category", "sentiment", "stars", "kind"])
@pytest.mark.parametrize("header", ["", "present"])
def test_a_file_of_labels_alone_holds_no_texts(name, header):
    """Whether its header is announced or not."""
    fields = TextFields("prose", "", "kind")
    assert "no column of texts" in refused(f"{name}\nAlpha\nBeta\n", header=header, fields=fields)
    assert read(f"{name}\nAlpha\n", header="absent") == [name, "Alpha"]


def test_a_delimiter_of_the_training_needs_no_header():
    """Where each row has a class before it, and no text has it otherwise."""
    fields = TextFields(delimiter="^")
    assert read("Alpha^where is it\nBeta^no, here\n", fields=fields) == ["where is it", "no, here"]
    assert read("where^is it\n", fields=fields) == ["where^is it"]
