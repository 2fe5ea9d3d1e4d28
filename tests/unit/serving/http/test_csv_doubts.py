"""CSV bodies whose columns or rows are in doubt: read as training reads them, or refused, never guessed."""

import dataclasses
from typing import Any

import pytest

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
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


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("1,where is my parcel,Alpha\n2,refund please,Beta\n", "classes of the model too"),
        ("1,where is my parcel,Alpha\n", "classes of the model too"),
        ("3,very good service,mail\n1,not so good,web\n", "no longer|not hold longer"),
        ("Alpha,where is my parcel,2026-01-05\n", "not hold longer"),
        ("Alpha,refund,a@example.com\nBeta,help me,b@example.com\n", "not hold longer"),
        ("Alpha,Beta\nBeta,Alpha\n", "classes of the model too"),
        ("0,1\nAlpha,some text here\nBeta,other text\n", "numbers as pandas"),
        ("0,1\n2,some text\n1,other\n", "numbers as pandas"),
        ("0\nsome text\nother text\n", "numbers as pandas"),
        ("Gamma,message\n7,foo bar\n", "a class of the model too"),
        ("question\nanswer\nhelp\n", "is as short"),
        ("help, text\nso it is, good\n", "blanks stand before its names"),
        ("it;is, label, text\nso;it, is, there\n", "holds another delimiter"),
        ("Kommentar,Datum\nfoo bar,2026\nx y z,2026\n", "neither a header nor labels"),
        (",Kommentar\n0,good\n1,bad enough\n7,so so\n", "neither a header nor labels"),
        ('plain one,en,2026\n"a, b",de,2027\n', "neither a header nor labels"),
        ("".join(f"{at},text {at} here\n" for at in range(10)), "neither a header nor labels"),
    ],
)
def test_columns_in_doubt_are_refused(body, why):
    """However few rows there are: no label, date or number is answered in place of a text."""
    assert any(part in refused(body) for part in why.split("|"))


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (
            '1,"a title","an abstract, quoted"\n2,"b title","b abstract"\n',
            ["an abstract, quoted", "b abstract"],
        ),
        ("Gamma,message\nAlpha,foo bar\nBeta,x y\n", ["message", "foo bar", "x y"]),
        ("Alpha,text\nBeta,foo\n", ["text", "foo"]),
        ("Alpha,label,so text\nBeta,x,y z\n", ["so text", "y z"]),
        ("0,x\n1,y\n", ["x", "y"]),
        ("question\nwhere is the parcel now\n", ["where is the parcel now"]),
        ("text\nhelp\nyes\n", ["help", "yes"]),
        ("well,\nyes,\n", ["well,", "yes,"]),
        ("in 1,000 cases\nor 2,500 of them\nor 3,000\n", ["in 1,000 cases", "or 2,500 of them", "or 3,000"]),
        ('"message\ntext"\na text that is long\n', ["message\ntext", "a text that is long"]),
        ("ok,thanks\nno,never\n", ["ok,thanks", "no,never"]),
    ],
)
def test_rows_beyond_doubt_are_answered(body, texts):
    """With as many answers as there are texts."""
    assert read(body) == texts


def test_header_absent_makes_each_row_a_text():
    """Unless quotes within the rows show their columns."""
    body = "Kommentar,Datum\nfoo bar,2026\nx y z,2026\n"
    assert read(body, header="absent") == body.splitlines()
    assert "neither a header" in refused('foo bar,2026\n"a, b",2027\n', header="absent")


@pytest.mark.parametrize(
    ("setting", "body"),
    [
        ("label,text", "text,label\na,Alpha\nb,Beta\n"),
        ("label,text", "Kategorie,Text\nAlpha,a\n"),
        ("label,text", "label,title\nAlpha,a\n"),
        ("text", "label,text\nAlpha,where is it\n"),
        ("text", "label;text\nAlpha;where is it\n"),
        ("text", "review\na text\n"),
    ],
)
@pytest.mark.parametrize("is_part", [False, True])
def test_a_header_that_differs_from_the_setting_is_refused(setting, body, is_part):
    """Its columns may stand in another order; labels beside the only column are seen too."""
    columns = FixedColumns.of(setting, TextFields())
    assert "not that of SERVING_CSV_COLUMNS" in refused(body, columns=columns, is_part=is_part)
    assert len(read("Alpha,message\nBeta,x\n", columns=FixedColumns.of("label,text", TextFields()))) == 2
    assert "begin with a class" in refused(
        "Alpha,a b\nBeta,c d\n", columns=FixedColumns.of("text", TextFields())
    )


@pytest.mark.parametrize("body", ["a word,Beta", "1,good\n", "Review", "message\n", "label,text", '{"a": 1}'])
@pytest.mark.parametrize("setting", ["", "text"])
def test_a_part_of_one_row_fails_no_batch_transform(body, setting):
    """What is wrong with the row, and what to do, is its answer."""
    (record,) = read(body, is_part=True, columns=FixedColumns.of(setting, TextFields()))
    assert record[0] == "["
    assert record[1].islower()
    assert "Content-Type" in record or "SERVING_CSV_COLUMNS" in record or "quote" in record
