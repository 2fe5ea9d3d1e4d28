"""What a model was trained with can be classified: its columns in JSON records and in CSV with an announced header."""

import dataclasses
import json

import pytest

from bert_classifier.data.as_trained import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.model.predictor import Predictor
from support.clear_text import assert_clear

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
NONE, REVIEW = TextFields(), TextFields("review")
TITLED = TextFields("review", "headline")


def read(
    media_type: str, body: str | bytes, fields: TextFields = REVIEW, header: str = "present"
) -> list[str]:
    """Return the records of a body; errors in brackets."""
    raw = body.encode() if isinstance(body, str) else body
    form = CsvForm.of(header, ("good", "bad"), is_part=False, fields=fields)
    records = codec.decode(media_type, raw, 100, form).records
    return [f"[{record.error}]" if isinstance(record, RecordError) else record for record in records]


@pytest.mark.parametrize(
    ("fields", "record", "text"),
    [
        (REVIEW, {"id": 7, "review": "a", "sentiment": "good"}, "a"),
        (REVIEW, {"Review": "a", "stars": 5}, "a"),
        (TextFields("the Text"), {"the_text": "a", "label": "x"}, "a"),
        (REVIEW, {"text": "a"}, "a"),
        (REVIEW, {"inputs": "a"}, "a"),
        (REVIEW, {"review": "a", "message": "beside it in the training data too"}, "a"),
        (REVIEW, {"review": "a", "text": None, "body": " "}, "a"),
        (NONE, {"review": "a", "stars": 5}, "a"),
        (NONE, {"source": "a", "my-job": 0, "my-job-metadata": {"class-name": "x"}}, "a"),
        (NONE, {"abstract": "a", "title": "t"}, "a"),
        (NONE, {"question": "a", "answer": ""}, "a"),
        (NONE, {"message": "", "utterance": "a"}, "a"),
        (NONE, {"review": " "}, "[the text is empty]"),
        (REVIEW, {"review": 5}, "[the text must be a string, not a number]"),
        (REVIEW, {"rev": "a"}, """[the object must have either "text" or "inputs", 'review']"""),
        (NONE, {"words": "a"}, '[the object must have either "text" or "inputs"]'),
        (
            TextFields("text"),
            {"text": "a", "inputs": "b"},
            '[the object must have either "text" or "inputs"]',
        ),
        (TITLED, {"headline": "t", "review": "a"}, "t a"),
        (TITLED, {"headline": None, "review": "a"}, "a"),
        (TITLED, {"headline": " t ", "review": ""}, "t"),
        (TITLED, {"text": "a"}, "a"),
        (REVIEW, {"title": "t", "review": "a"}, "a"),
    ],
)
def test_the_text_of_a_record(fields, record, text):
    """Under the training's name, a plain one, or one in use for texts; title as at training; others are ignored."""
    body = json.dumps(record)
    assert read(LINES, body, fields) == read(JSON, f'{{"instances": [{body}]}}', fields) == [text]


@pytest.mark.parametrize(
    ("fields", "record", "names"),
    [
        (REVIEW, {"review": "a", "text": "b"}, "'text' beside 'review'"),
        (REVIEW, {"review": "a", "inputs": "b"}, "'inputs' beside 'review'"),
        (REVIEW, {"review": "a", "text_pair": "b"}, "'text_pair' beside 'review'"),
        (NONE, {"review": "a", "comment": "b"}, "'comment' beside 'review'"),
        (NONE, {"question": "a", "context": "b"}, "'context' beside 'question'"),
        (NONE, {"sentence": "a", "sentence2": "b"}, "'sentence2' beside 'sentence'"),
    ],
)
def test_several_texts_are_refused(fields, record, names):
    """Which of them is meant cannot be known."""
    with pytest.raises(RequestError, match=names) as caught:
        read(LINES, json.dumps(record), fields)
    assert (caught.value.status, caught.value.code) == (400, "second_text")


def test_an_object_with_the_training_column_is_a_body():
    """It stands for one record; other objects are still an envelope."""
    assert read(JSON, '{"review": "a", "sentiment": "good"}') == ["a"]
    for body, fields in [('{"review": "a"}', NONE), ('{"text": "a"}', REVIEW), ('{"": "a"}', NONE)]:
        with pytest.raises(RequestError, match="unknown field"):
            read(JSON, body, fields)
    with pytest.raises(RequestError, match="unknown field 'review'"):
        read(JSON, '{"review": "a", "inputs": "b"}')


def test_the_text_column_of_csv_is_classified():
    """Labels and other columns are ignored; a line is answered by a line, a wrong one by what is wrong."""
    body = 'id,Review,sentiment\r\n1,"a, b",good\n2,two,bad\n\n3,x\n4,"c ""d""",\n5, ,bad\n6,"open,good\n'
    assert read(CSV, body) == [
        *("a, b", "two", "[the text is empty]"),
        "[the row has 2 cells instead of 3: quote a text that has commas]",
        *('c "d"', "[the text is empty]"),
        "[a quote opened in this row is never closed]",
    ]
    assert read(CSV, b"\n \nsentiment,review\ngood,a\nbad,\xff\n\xff,b\n") == [
        "a",
        "[the text is not UTF-8]",
        "b",
    ]
    assert read(CSV, "headline,review\nt,a\n,b\n", TITLED) == ["t a", "b"]
    assert read(CSV, "sentiment,review\n") == []


@pytest.mark.parametrize(
    ("body", "fields", "words"),
    [
        ("text,label\na,b\n", REVIEW, "2 columns, but not once 'review', the text column of the training"),
        ("review,Review\na,b\n", REVIEW, "not once 'review'"),
        ("review,label\na,b\n", NONE, "names 2 columns[.]"),
        ("id;review\n1;a\n", REVIEW, "not separated by commas"),
    ],
)
def test_a_header_without_the_training_column_is_refused(body, fields, words):
    """With the column that was looked for."""
    with pytest.raises(RequestError, match=words) as caught:
        read(CSV, body, fields)
    assert (caught.value.status, caught.value.code) == (400, "bad_csv")
    assert_clear(caught.value)


def test_a_header_that_is_not_announced_is_refused_with_how_to():
    """In batch transform announcing would not help."""
    with pytest.raises(RequestError, match="header=present"):
        read(CSV, "sentiment,review\ngood,a\n", header="")
    form = CsvForm.of("", ("good",), is_part=True, fields=REVIEW)
    with pytest.raises(RequestError, match="Take it out"):
        codec.decode(CSV, b"sentiment,review\ngood,a\n", 100, form)


def test_a_single_column_is_read_as_before():
    """Whatever its name, commas included."""
    assert read(CSV, "utterance\na, b\n") == ["a, b"]


def test_the_served_model_knows_its_columns(make_service, predictor):
    """They come from training.json; older artifacts have none."""
    info = {
        **predictor._artifact.info,
        "data": {"columns": {"label": "stars", "text": "review", "title": "headline"}},
        "hyperparameters": {"title_column": "headline"},
    }
    own = Predictor(dataclasses.replace(predictor._artifact, info=info), 128)
    assert (predictor.fields, own.fields) == (NONE, TITLED)
    client = create_app(make_service(own), ServeConfig()).test_client()
    asked = "headline,review,stars\nriver,apple,5\n"
    plain, titled, csv = (
        client.post("/invocations", data=data, content_type=form, buffered=True).text
        for data, form in [
            ('["river apple"]', JSON),
            ('{"headline": "river", "review": "apple", "stars": 5}', JSON),
            (asked, "text/csv; header=present"),
        ]
    )
    assert plain == titled
    (answer,) = json.loads(plain)
    assert csv == f"{answer['label']},{answer['score']}"
