"""What a model was trained with can be classified: its columns in JSON records and in CSV with an announced header."""

import dataclasses
import json

import pytest

from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.model.predictor import Predictor
from support.clear_text import assert_clear

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
NONE, REVIEW = TextFields(), TextFields("review")
TITLED = TextFields("review", "headline")
PROSE = TextFields("prose", "", "kind")
NO_TITLE = (
    '[the object {} "headline", the title at training: send one, empty where a text has none, or a string instead of'
    " the object]"
)


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
        (REVIEW, {"rev": "a"}, '[the object has no text: name it "text", "inputs" or "review"]'),
        (NONE, {"words": "a"}, '[the object has no text: name it "text" or "inputs"]'),
        (
            TextFields("text"),
            {"text": "a", "inputs": "b"},
            '[the object has both "text" and "inputs": send one of them]',
        ),
        (TITLED, {"headline": "t", "review": "a"}, "t a"),
        (TITLED, {"headline": None, "review": "a"}, "a"),
        (TITLED, {"headline": " t ", "review": ""}, "t"),
        (TITLED, {"text": "a", "Headline": "t"}, "t a"),
        (TextFields("Body", "Subject"), {"body": "a", "subject": "t"}, "t a"),
        (TITLED, {"review": "a", "headline": 5}, '[the title "headline" must be a string, not a number]'),
        (TITLED, {"review": "a"}, NO_TITLE.format("has no")),
        (TITLED, {"text": "a"}, NO_TITLE.format("has no")),
        (
            TITLED,
            {"review": "a", "Headline": "t", "HEADLINE": "u"},
            NO_TITLE.format("has several fields called"),
        ),
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
        read(JSON, json.dumps([record]), fields)
    assert (caught.value.status, caught.value.code) == (400, "second_text")


def test_an_object_with_the_training_column_is_a_body():
    """It stands for one record; other objects are still an envelope."""
    assert read(JSON, '{"review": "a", "sentiment": "good"}') == ["a"]
    assert read(JSON, '{"text": "a"}') == ["a"]
    assert read(JSON, '{"Question": "a", "n": 1}', NONE) == ["a"]
    for body in ('{"reviewer": "a"}', '{"": "a"}'):
        with pytest.raises(RequestError, match="no text under a name in use"):
            read(JSON, body, NONE)
    with pytest.raises(RequestError, match="unknown field 'review'"):
        read(JSON, '{"review": "a", "inputs": "b"}')


def test_the_text_column_of_csv_is_classified():
    """Labels and other columns are ignored; a line is answered by a line, a wrong one by what is wrong."""
    body = 'id,Review,sentiment\r\n1,"a, b",good\n2,two,bad\n\n3,x\n4,"c ""d""",\n5, ,bad\n6,"open,good\n'
    assert read(CSV, body) == [
        *("a, b", "two", "[the text is empty]"),
        "[the row has 2 cells instead of 3]",
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
    assert read(CSV, "sentiment,review\ngood,a, b\ngood\n") == [
        "[the row has 3 cells instead of 2: quote a text that has commas]",
        "[the row has 1 cell instead of 2]",
    ]
    assert read(CSV, "label,text\ng,a\n") == read(CSV, "review,id\na,1\n", NONE) == ["a"]
    assert read(CSV, "id,title\n1,a\n", NONE) == read(CSV, "source,title\na,t\n", NONE) == ["a"]


@pytest.mark.parametrize(
    ("body", "fields", "words"),
    [
        (
            "words,label\na,b\n",
            REVIEW,
            "2 columns, but not 'review', the text column of the training, or a name",
        ),
        ("REVIEW,Review\na,b\n", REVIEW, "2 columns that may be the text: 'REVIEW' and 'Review'"),
        ("words,label\na,b\n", NONE, "Call the column of texts 'text'[.]"),
        (
            "text,comment\na,b\n",
            NONE,
            "may be the text: 'text' and 'comment'. Give one of them, called 'text'",
        ),
        ("question,context\na,b\n", NONE, "may be the text: 'question' and 'context'"),
        ("review,id\na,b\n", TITLED, "has no column 'headline', which stands before the text"),
        ("review\na\n", TITLED, "has no column 'headline'"),
        ("review,HEADLINE,Headline\na,b,c\n", TITLED, "has 2 columns called 'headline'"),
        ("label~text\n1~a\n", NONE, "or by an unusual sign. Separate all columns by commas"),
    ],
)
def test_a_header_without_the_training_column_is_refused(body, fields, words):
    """With the column that was looked for."""
    with pytest.raises(RequestError, match=words) as caught:
        read(CSV, body, fields)
    assert (caught.value.status, caught.value.code) == (400, "bad_csv")
    assert_clear(caught.value)


@pytest.mark.parametrize(
    "header",
    ["kind,prose", "kind;prose", "kind~prose", "prose", '"Prose"', "id,prose", "prose\tmade up one\tkind"],
)
def test_a_header_of_the_training_is_no_text(header):
    """Nobody else's model knows these names."""
    delimiter = next((mark for mark in ",;\t~" if mark in header), "")
    body = f"{header}\n{delimiter.join(['x'] * len(header.split(delimiter or None)))}\n"
    if delimiter == "~":
        with pytest.raises(RequestError, match=r"looks like a header.*Separate all columns by commas"):
            read(CSV, body, PROSE, header="")
    else:
        assert read(CSV, body, PROSE, header="") == read(CSV, body, PROSE) == ["x"]
    assert len(read(CSV, body, PROSE, header="absent")) == 2
    assert len(read(CSV, body, NONE, header="")) == 2
    assert read(CSV, "kind,prose\nx,a\n", PROSE) == ["a"]


def test_texts_with_a_name_of_the_training_are_texts():
    """A word of prose is no header, nor is a number that a column without a name is called by."""
    texts = ["prose, like this,one", "a kind one,prose and more", "prose that is long"]
    for text in texts:
        assert read(CSV, text, PROSE, header="") == [text]
    assert read(CSV, "1", TextFields("1", "", "0"), header="") == ["1"]


def test_a_header_in_batch_transform_is_refused_with_how_to():
    """Announcing it would not help: later parts of the file have none."""
    assert read(CSV, "sentiment,review\ngood,a\n", header="") == ["a"]
    for header in ("", "present"):
        form = CsvForm.of(header, ("good",), is_part=True, fields=REVIEW)
        with pytest.raises(RequestError, match="make batch-transform COLUMNS=label,text"):
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
    assert (predictor.fields, own.fields) == (NONE, TextFields("review", "headline", "stars"))
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
    (answer,) = json.loads(plain)
    assert json.loads(titled) == answer
    assert csv == f"{answer['label']},{answer['score']},"


@pytest.mark.parametrize("labels", ["good,bad", "Good,BAD", '"good","bad"'])
def test_a_training_file_with_a_column_for_each_label(labels):
    """Its header names classes of the model, so it is no data; columns of labels are left out, announced or not."""
    body = f"review,{labels}\nA fine text of words,1,0\nAnother text,0,1"
    for header in ("", "present"):
        assert read(CSV, body, header=header) == ["A fine text of words", "Another text"]
    with pytest.raises(RequestError, match="Most rows end with a class"):
        read(CSV, "review,good\nA text,1\nAnother text,0", header="")
