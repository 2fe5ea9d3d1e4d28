"""CSV bodies: a header row, or labels beside the texts, are refused and not answered as texts."""

import dataclasses
import re

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.csv_form import CsvForm

FORM = CsvForm.of("", ("Film", "No", "Company"), is_part=False)


def _csv(body: str, form: CsvForm = FORM) -> list[str | None]:
    records = codec.decode("text/csv", body.encode(), 100, form).records
    return [record if isinstance(record, str) else None for record in records]


@pytest.mark.parametrize(
    "header",
    [
        *(
            "text",
            "Text",
            '"text"',
            "label,text",
            "class_index,title,abstract",
            "id,text",
            "text, created_at",
        ),
        *(",text", "Unnamed: 0,text", "Unnamed: 0,text,label", "text,", ",review,rating", "id,Comment Text"),
        *(
            "review",
            "utterance",
            "message",
            "comment_text",
            "tweet",
            "body",
            "comment",
            "DESCRIPTION",
            "Question",
        ),
        *(
            "question_text",
            "sentence1",
            "sentence1,sentence2",
            "text_a,text_b",
            "Review Text",
            "utterance,intent",
        ),
        *("tweet-text,sentiment", "title,body,stars", "review,polarity", "text;label", "intent\tutterance"),
        *("id;intent;utterance", "Unnamed: 0|review", "query", "headline,emotion"),
    ],
)
def test_a_csv_header_is_not_a_text(header):
    """A first row of names in common use is a header unless the Content-Type says otherwise; blank rows hide none."""
    delimiter = next((mark for mark in ",;\t|" if mark in header), None)
    for body in (f"{header}\na plain text\n", f"\n{header}\na plain text\n"):
        if delimiter is None:
            assert _csv(body) == ["a plain text"]
        else:
            with pytest.raises(RequestError, match="looks like a header") as caught:
                _csv(body)
            assert (caught.value.status, caught.value.code) == (400, "bad_csv")
        with pytest.raises(RequestError, match="looks like a header"):
            _csv(body, dataclasses.replace(FORM, is_part=True))
        absent = dataclasses.replace(FORM, header="absent")
        assert len(_csv(body, absent)) == len(body.splitlines())
        assert len(_csv(body, dataclasses.replace(absent, is_part=True))) == len(body.splitlines())
    assert _csv(f"a plain text\n{header}\n")[0] == "a plain text"


def test_a_csv_header_that_is_announced_is_left_out():
    """Whatever its name; of several columns one must be known, and parts of a file have none."""
    form = dataclasses.replace(FORM, header="present")
    assert _csv("utterance\na plain text\nanother, one\n", form) == ["a plain text", "another, one"]
    assert _csv("utterance\n", form) == _csv("", form) == _csv("\n", form) == []
    assert _csv("\n \ntext\na plain text\n", form) == ["a plain text"]
    with pytest.raises(RequestError, match=r"The header row cannot be read \(.*quote"):
        _csv('"text\na plain text\n', form)
    assert _csv("utterance,id\na plain text,1\n", form) == ["a plain text"]
    with pytest.raises(RequestError, match="names 2 columns, but not a name in use"):
        _csv("words,id\na plain text,1\n", form)
    with pytest.raises(RequestError, match="first row"):
        _csv("utterance\na plain text\n", dataclasses.replace(form, is_part=True))


UNDERSTOOD = {
    "Film,a plain text\nCompany,another\n": ["a plain text", "another"],
    "1,a plain text\n3,another\n": ["a plain text", "another"],
    '1,"a title","an abstract, quoted"\n2,"b title",\n': ["an abstract, quoted", "b title"],
    "\n2,a plain text\n1,2001 is a film\n": [None, "a plain text", "2001 is a film"],
    "Film,a plain text": ["a plain text"],
    "film,in lower case\nCOMPANY,another\n": ["in lower case", "another"],
    "0,a plain text\n2,another\n": ["a plain text", "another"],
    "Film;a plain text, with more\nCompany;another": ["a plain text, with more", "another"],
    '2;"a; text"\n3;b\n': ["a; text", "b"],
    "2\ta plain text": ["a plain text"],
    "1,Film,a plain text": ["a plain text"],
    "sep=|\r\nFilm|a\r\nNo|b, c\r\n": ["a", "b, c"],
    "Film,a,\nNo,b,\n": ["a", "b"],
}
REFUSED = [
    "Film,a plain text\nCompany,another\nSong,of a class that is new\n",
    "a plain text,Film\nanother,Company\n",
    "a plain text,film\nanother, with a comma,no\nmore,company\n",
    "a plain text,0\nanother,1\n",
    "7,a plain text,Film\n8,another,Company\n",
    *("a plain text|Film", "Film~a text, with more", "17\tFilm\ta plain text", "b-12;company;a plain text;x"),
    "17,1,a plain text",
    "one title,Film,a plain text\nanother,Company,more\n",
    '7,Film,"a plain text, with more"\n',
    "Film;;-) a plain text\nFilm;another\nNo;third\n",
]


@pytest.mark.parametrize("body", UNDERSTOOD)
def test_labels_beside_the_texts_are_ignored(body):
    """Where each row has a class of the model, by name or number, in the place in which training reads labels."""
    assert _csv(body) == _csv(body, dataclasses.replace(FORM, header="absent")) == UNDERSTOOD[body]


@pytest.mark.parametrize("body", REFUSED)
def test_labels_beside_the_texts_are_no_part_of_them(body):
    """Where most rows have a class of the model in one place, but not all of them are read at training so."""
    with pytest.raises(RequestError, match=r"Most rows (begin|end|have a) .*class .*beside a ") as caught:
        _csv(body)
    assert (caught.value.status, caught.value.code) == (400, "bad_csv")
    assert "Send a header row" in str(caught.value)


@pytest.mark.parametrize("body", [*(body for body in UNDERSTOOD if body[:3] not in ("sep", '2;"')), *REFUSED])
def test_labels_in_parts_of_files_are_refused(body):
    """A part says nothing about the others; if it is one row, only that has an error."""
    part = dataclasses.replace(FORM, is_part=True)
    if "\n" in body.strip():
        with pytest.raises(RequestError, match=r"class .*beside a .*SERVING_CSV_COLUMNS"):
            _csv(body, part)
    else:
        (record,) = codec.decode("text/csv", body.encode(), 100, part).records
        assert re.search(r"class .*beside a .*SERVING_CSV_COLUMNS", getattr(record, "error", ""))


@pytest.mark.parametrize(
    "body",
    [
        "No, I do not want it\n",
        "1,000 people came\n",
        "4,a number that is no class\n",
        "Film,a plain text\na text, with a comma\n",
        '"Film,a plain text"\n',
        "Film\nCompany\n",
        "a text about a film, no\n",
        "it costs 2,3\n",
        "Film,a plain text\nno comma\nnone here\n",
        "question, please help\n",
        "a comment, in a sentence",
        "message received,thank you all",
        "a text; with more",
        "the rating|the question",
        "no~~ thanks\nno~ no\n",
        "no;-) thanks\nno ;)\nno;P\n",
        "1;2 of them\nwe saw 1|2|3 of them",
        "maybe,no,of course",
        "in 1,2,3 steps",
        '"Film;a plain text"\n"1\tFilm\ta text"',
        "Film; a text\nto film|as one\n",
    ],
)
def test_texts_that_merely_begin_like_training_data_are_texts(body):
    """Prose has a blank behind its commas, and a class is only suspect where every row begins with one."""
    assert _csv(body) == [row.strip('"') for row in body.splitlines()]


def test_where_all_classes_are_numbers_they_are_names():
    """Then 1 is no class if there is none of that name, as in training."""
    form = CsvForm.of("", ("0", "5"), is_part=False)
    assert _csv("1,a text", form) == ["1,a text"]
    assert _csv("5,a text", form) == ["a text"]


def test_the_content_type_says_what_a_first_row_is(make_service, predictor):
    """header=present leaves it out, header=absent makes it a text; in batch transform, each part would lose a row."""
    service = make_service(predictor)
    client = create_app(service, ServeConfig()).test_client()
    in_batch = create_app(service, ServeConfig(sagemaker_batch=True)).test_client()

    def ask(to, value):
        return to.post(
            "/invocations", data="text\napple", content_type=f"text/csv; header={value}", buffered=True
        )

    assert [ask(client, value).text.count("\n") + 1 for value in ("present", "absent")] == [1, 2]
    assert ask(in_batch, "absent").status_code == 200
    refused = ask(in_batch, "present")
    assert (refused.status_code, refused.json["code"]) == (400, "bad_csv")


def test_natural_sentences_are_never_refused():
    """Whatever the classes are called that the sentences speak of, and however tightly their commas are set."""
    form = CsvForm.of("", ("positive", "negative", "film", "LOC", "yes", "no"), is_part=False)
    sentences = [
        "no movement , no yuks , not much of anything .",
        "a film, a good one",
        "Who wrote the question,and who the answer?",
        "yes,yes and yes again,she said, no",
        "What county is Modesto , California in ?",
        "in 1,000 of 2,5 cases",
        "positive, in a word",
        "text, images and sound",
        "yes;-) a film",
        "from LOC; in 2;3 days | yes",
        "he said yes,no,whatever",
    ]
    for sentence in sentences:
        assert _csv(sentence, form) == [sentence]
    assert _csv("\n".join(sentences), form) == sentences
