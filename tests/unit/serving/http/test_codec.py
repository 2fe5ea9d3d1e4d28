"""Bodies to records and predictions to bodies: every form, every wrong record, a line for a line."""

import csv
import io
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.csv_looks import is_likely_header
from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.model.predictor import Prediction, predictions_of

JSON, LINES, CSV, PLAIN = "application/json", "application/jsonlines", "text/csv", "text/plain"
LABELS = ("World", 'Sci, "Tech"', "Süd")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1).filter(str.strip)
TEXT = TEXT.filter(lambda text: not is_likely_header([text]))


def _records(media_type: str, body: str | bytes, max_records: int = 100) -> list[str | None]:
    """Return the records of a body, None for each that is wrong."""
    raw = body.encode() if isinstance(body, str) else body
    records = codec.decode(media_type, raw, max_records).records
    return [record if isinstance(record, str) else None for record in records]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ["a", "b"]},
        {"instances": ["a", "b"]},
        {"instances": [{"text": "a"}, {"inputs": "b", "id": 7}]},
        {"inputs": ["a", {"text": "b"}], "parameters": {}},
        {"inputs": ["a", {"text": "b"}], "parameters": None},
        ["a", "b"],
        [{"text": "a"}, "b"],
    ],
)
def test_json_forms(body):
    """Every documented JSON form gives its texts in order."""
    assert _records(JSON, json.dumps(body)) == ["a", "b"]


@pytest.mark.parametrize("body", ['"a"', '{"inputs": "a"}', '\ufeff["a"]', '["\\u0061"]'])
def test_json_of_one_text(body):
    """A single string counts as a list of one, and a byte order mark does no harm."""
    assert _records(JSON, body) == ["a"]


def test_an_empty_json_list_has_no_records():
    """No texts are no mistake."""
    assert _records(JSON, '{"inputs": []}') == []


def test_a_wrong_record_does_not_fail_its_neighbours():
    """A value that cannot be classified becomes an error in its place."""
    values = [
        "a",
        "",
        " \n",
        5,
        None,
        True,
        ["x"],
        {},
        {"text": 1},
        {"text": "x", "inputs": "y"},
        "\ud800",
        "b",
    ]
    assert _records(JSON, json.dumps({"inputs": values})) == ["a", *[None] * 10, "b"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("['a']", "bad_json"),
        ('["a"] x', "bad_json"),
        ("[NaN]", "bad_json"),
        ("[" * 40 + "]" * 40, "bad_json"),
        ('{"inputs": "a", "inputs": "b"}', "bad_json"),
        (b'["\xff"]', "bad_encoding"),
        ('["a"]'.encode("utf-16"), "bad_encoding"),
        ("5", "bad_request"),
        ("null", "bad_request"),
        ("{}", "bad_request"),
        ('{"text": "a"}', "bad_request"),
        ('{"inputs": {"text": "a"}}', "bad_request"),
        ('{"instances": "a"}', "bad_request"),
        ('{"inputs": "a", "instances": ["b"]}', "bad_request"),
        ('{"inputs": "a", "options": {}}', "bad_request"),
        ('{"inputs": "a", "text_pair": "b"}', "bad_request"),
        ('{"inputs": "a", "parameters": []}', "bad_parameters"),
        ('{"inputs": "a", "parameters": {"function_to_apply": "none"}}', "bad_parameters"),
        ('{"inputs": "a", "parameters": {"top_k": 0}}', "bad_parameters"),
        ('{"inputs": "a", "parameters": {"top_k": true}}', "bad_parameters"),
        ('{"inputs": "a", "parameters": {"top_k": 1e999}}', "bad_parameters"),
    ],
)
def test_json_that_is_wrong_as_a_whole(body, code):
    """A body that is not one of the forms is 400, under a code that says in which way."""
    with pytest.raises(RequestError) as caught:
        _records(JSON, body)
    assert (caught.value.status, caught.value.code) == (400, code)


def test_top_k_is_read():
    """The number of classes asked for is part of the query; by default there is none."""
    assert codec.decode(JSON, b'{"inputs": "a", "parameters": {"top_k": 2}}', 10).top_k == 2
    assert codec.decode(JSON, b'{"inputs": "a"}', 10).top_k is None


@pytest.mark.parametrize("media_type", ["application/jsonlines", "application/x-ndjson", "application/jsonl"])
def test_json_lines(media_type):
    """One record a line: a string or an object, with \\n or \\r\\n, the last line with or without its end."""
    body = '"a"\r\n{"text": "b", "id": 1}\n{"inputs": "c"}\n"d\\u2028\\n"'
    assert _records(media_type, body) == ["a", "b", "c", "d\u2028\n"]
    assert _records(media_type, body + "\n") == ["a", "b", "c", "d\u2028\n"]


def test_wrong_json_lines_keep_their_place():
    """A line that is blank, no JSON, no UTF-8 or no record counts as one record."""
    body = b'"a"\n\n{\n"\xff"\n[]\n{"text": "b", "parameters": {"top_k": 2}}\n   \n"c"'
    assert _records(LINES, body) == ["a", None, None, None, None, None, None, "c"]


def test_csv_rows():
    """An unquoted row is one text whatever it holds; a quoted one loses its quotes and may hold line ends."""
    body = 'a, b; c\r\n"x, ""y""\nz"\nHe said "hi", twice\n5" disk\nlast\rone'
    assert _records(CSV, body) == ["a, b; c", 'x, "y"\nz', 'He said "hi", twice', '5" disk', "last\rone"]


def test_wrong_csv_rows_keep_their_place():
    """A row of quoted cells, an open quote, a blank line or a wrong byte costs one record, not the rest."""
    body = b'ok\n"a","b"\n"open\n\n"x"y\n\xff\n"\xfe"\n"\0"\n"fine"\n'
    assert _records(CSV, body) == ["ok", None, None, None, None, None, None, None, "fine"]


def test_plain_text_lines():
    """Lines end at \\n or \\r\\n and at nothing else in Unicode; blank and wrong ones keep their place."""
    body = "a\u2028b\x85c\x0bd\re\r\n\n \nf".encode() + b"\n\xff"
    assert _records(PLAIN, body) == ["a\u2028b\x85c\x0bd\re", None, None, "f", None]


@pytest.mark.parametrize("media_type", [LINES, CSV, PLAIN])
def test_an_empty_body_of_lines_has_no_records(media_type):
    """No lines are no records, so that an empty file passes through batch transform."""
    assert _records(media_type, "") == []


@pytest.mark.parametrize(
    ("media_type", "body"),
    [(JSON, '["a", "a", "a"]'), (LINES, '"a"\n"a"\n"a"'), (CSV, "a\na\na"), (PLAIN, "\n" * 1_000_000)],
)
def test_too_many_records(media_type, body):
    """More records than allowed are 413 in every form, wrong records counted."""
    with pytest.raises(RequestError) as caught:
        _records(media_type, body, max_records=2)
    assert (caught.value.status, caught.value.code) == (413, "too_many_records")


@pytest.mark.parametrize("part", ["{}", "1", '"a"', "[[]]", '{"a":1,"b":2,"c":3}'])
def test_a_body_of_very_many_parts_is_not_even_parsed(part):
    """Far more values than records are allowed are 413, before memory and time go into them."""
    with pytest.raises(RequestError) as caught:
        codec.decode(JSON, f"[{','.join([part] * 200)}]".encode(), 2)
    assert (caught.value.status, caught.value.code) == (413, "too_many_records")


def test_brackets_and_commas_inside_a_text_do_not_count():
    """A text may hold any number of what separates values elsewhere, escaped quotes among them."""
    text = '{[,"\\' * 1000
    assert _records(JSON, json.dumps([text])) == [text]


@pytest.mark.parametrize("line", ['a","', '"",","', 'a"a","', '"a', '"a\n"b"c'])
def test_rows_that_fail_are_not_read_over_and_over(line):
    """When every line might begin a long row that fails, work grows with the lines, not with their square."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        assert _records(CSV, f"{line}\n" * 2000, 10_000)
    finally:
        sys.setprofile(None)
    assert steps < 200 * 2000


@given(texts=st.lists(TEXT, max_size=8), end=st.sampled_from(["", "\n"]))
def test_any_texts_survive_every_form(texts, end):
    """What a correct client writes is what is read, in every form."""
    quoted = io.StringIO()
    csv.writer(quoted, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([text] for text in texts)
    assert _records(JSON, json.dumps(texts)) == texts
    assert _records(LINES, "\n".join(json.dumps(text) for text in texts) + (end if texts else "")) == texts
    assert _records(CSV, quoted.getvalue()) == texts
    assert _records(PLAIN, "\ufeff" + "\n".join(texts) + (end if texts else "")) == texts


@given(body=st.binary() | st.text('ab",\n\r\0é').map(str.encode), media_type=st.sampled_from([LINES, PLAIN]))
def test_every_line_is_one_record(body, media_type):
    """However wrong a body is, there is one record for each of its lines."""
    lines = body.count(b"\n") + (body not in (b"", b"\xef\xbb\xbf") and not body.endswith(b"\n"))
    assert len(_records(media_type, body, 10_000)) == lines


def _prediction(*scores: float, truncated: bool = False) -> Prediction:
    return predictions_of(np.array([scores]), [truncated])[0]


ANSWERS: list[Prediction | RecordError] = [
    _prediction(0.1, 0.7, 0.2),
    RecordError("the text is empty"),
    _prediction(0.25, 0.25, 0.5, truncated=True),
]


def encoded(answers, media_type, top_k=None):
    """Return the body of an answer."""
    return codec.encode(answers, codec.ResponseFormat(LABELS, top_k), media_type)


def test_json_answers():
    """One object a record in order, errors in their place, and `truncated` only where it holds."""
    assert json.loads(encoded(ANSWERS, JSON)) == [
        {"label": 'Sci, "Tech"', "score": 0.7},
        {"error": "the text is empty", "code": "bad_record"},
        {"label": "Süd", "score": 0.5, "truncated": True},
    ]


def test_json_answers_with_several_classes():
    """With top_k each record gets a list, most likely first, equal scores in the labels' order."""
    first, error, last = json.loads(encoded(ANSWERS, JSON, top_k=9))
    assert [entry["label"] for entry in first] == ['Sci, "Tech"', "Süd", "World"]
    assert error == {"error": "the text is empty", "code": "bad_record"}
    assert [entry["label"] for entry in last] == ["Süd", "World", 'Sci, "Tech"']
    assert [len(entries) for entries in json.loads(encoded(ANSWERS[:1], JSON, top_k=1))] == [1]


@pytest.mark.parametrize("top_k", [None, 2])
def test_json_lines_answers(top_k):
    """JSON Lines hold what the JSON list holds, one element a line, without a line end at the end."""
    lines = encoded(ANSWERS, LINES, top_k).split("\n")
    assert [json.loads(line) for line in lines] == json.loads(encoded(ANSWERS, JSON, top_k))


def test_csv_answers():
    """CSV holds label and score, or a message in a third cell, quoted where needed, and no last line end."""
    assert encoded(ANSWERS, CSV) == '"Sci, ""Tech""",0.7\n,,the text is empty\nSüd,0.5'
    assert encoded(ANSWERS[:1], CSV, top_k=2) == '"Sci, ""Tech""",0.7,Süd,0.2'


@pytest.mark.parametrize(("media_type", "expected"), [(JSON, "[]"), (LINES, ""), (CSV, "")])
def test_no_answers(media_type, expected):
    """No records are answered with nothing, in the form's own way."""
    assert encoded([], media_type) == expected


@pytest.mark.parametrize("media_type", [JSON, LINES, CSV])
@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_never_leaves(media_type, score):
    """NaN and infinity are an error in every form, even for a class that is not named."""
    with pytest.raises(ValueError, match="not finite"):
        encoded([_prediction(0.5, score, 0.5)], media_type)


def test_scores_are_short_and_small_ones_are_kept():
    """A score has six significant digits, so that a tiny probability does not become zero."""
    body = encoded([_prediction(1 / 3, 2 / 3, 1.23456789e-9)], JSON, top_k=3)
    assert [entry["score"] for entry in json.loads(body)[0]] == [0.666667, 0.333333, 1.23457e-09]
