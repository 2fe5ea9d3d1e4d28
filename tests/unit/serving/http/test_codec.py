"""Bodies to records: every form, every wrong record, a record for a line."""

import csv
import io
import json
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bert_classifier.data.csv_looks import is_likely_header
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import JSON_LINES
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted

JSON, LINES, CSV, PLAIN = "application/json", "application/jsonlines", "text/csv", "text/plain"
OTHER_KINDS = (b"[", b"{", b"\x1f\x8b", b"PK", b"PAR1", b"\xff\xfe", b"\xfe\xff")
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


@pytest.mark.parametrize(
    ("body", "nesting"),
    [
        ('"a"', "string"),
        ('{"inputs": "a"}', "string"),
        ('{"text": "a", "id": 7}', "object"),
        ('{"inputs": {"text": "a"}}', "object"),
        ('{"features": ["a"]}', "object"),
        ('{"text": "a", "options": "red"}', "object"),
        ('{"text": "a", "options": {"use_cache": false}, "parameters": {}}', "object"),
        ('{"input": "a", "id": 7}', "object"),
        ('{"title": "a", "label": 7}', "object"),
        ('\ufeff["a"]', "list"),
        ('["\\u0061"]', "list"),
        ('{"instances": [{"features": ["a"]}]}', "list"),
    ],
)
def test_json_of_one_text(body, nesting):
    """A text may come alone, as a string or an object; its answer is nested alike."""
    query = codec.decode(JSON, body.encode(), 10)
    assert (query.records, query.nesting) == (["a"], nesting)


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
        ('{"instances": "a"}', "bad_request"),
        ('{"inputs": "a", "instances": ["b"]}', "bad_request"),
        ('{"inputs": "a", "options": []}', "bad_parameters"),
        ('{"inputs": "a", "options": {"wait": true}}', "bad_parameters"),
        ('{"inputs": ["a"], "text": "b"}', "bad_request"),
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


def test_parameters_are_read():
    """What a request asks for is part of the query, in JSON Lines of each record; by default that is open."""
    for body in ('{"inputs": "a", "parameters": {"top_k": 2}}', '{"text": "a", "parameters": {"top_k": 2}}'):
        query = codec.decode(JSON, body.encode(), 10)
        assert (query.records, query.wanted) == (["a"], Wanted(2))
    assert (
        codec.decode(JSON, b'{"inputs": "a", "parameters": null, "options": {"use_cache": 1}}', 10).wanted
        is None
    )
    lines = b'{"text": "a"}\n{"inputs": "b", "parameters": {"top_k": 2}}\n"c"\n{"text": "d", "parameters": {"k": 1}}'
    query = codec.decode(LINES, lines, 10)
    assert query.records[:3] == ["a", "b", "c"]
    assert query.own == {1: Wanted(2)}
    assert query.records[3] == RecordError(
        'The request has an unknown parameter \'k\'. Send {"top_k": 3}, {"top_k": null} for all classes, or none.',
        "bad_parameters",
    )


@pytest.mark.parametrize("media_type", JSON_LINES)
def test_json_lines(media_type):
    """One record a line: a string or an object, with \\n or \\r\\n, the last line with or without its end."""
    body = '"a"\r\n{"text": "b", "id": 1}\n{"inputs": "c"}\n"d\\u2028\\n"'
    assert _records(media_type, body) == ["a", "b", "c", "d\u2028\n"]
    assert _records(media_type, body + "\n") == ["a", "b", "c", "d\u2028\n"]


def test_wrong_json_lines_keep_their_place():
    """A line that is blank, no JSON, no UTF-8 or no record counts as one record."""
    body = b'"a"\n\n{\n"\xff"\n[]\n{"text": "b", "parameters": [2]}\n   \n"c"'
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
    """However wrong a body is, there is one record for each of its lines, unless it is of another kind as a whole."""
    assume(not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(OTHER_KINDS) and body.count(b"\0") < 4)
    end = b"\r" if media_type == PLAIN and b"\n" not in body and b"\r" in body else b"\n"
    lines = body.count(end) + (body not in (b"", b"\xef\xbb\xbf") and not body.endswith(end))
    codes: set[str] = set()
    try:
        found = len(_records(media_type, body, 10_000))
    except RequestError as error:  # JSON as text/plain, UTF-16, gzip
        codes.add(error.code)
    else:
        assert found == lines
    assert codes <= {"bad_request", "bad_encoding", "unsupported_encoding", "unsupported_media_type"}


@pytest.mark.parametrize("media_type", [JSON, LINES])
def test_an_empty_text_is_replaced_by_its_title(media_type):
    """As at training; a text that there is has no title put before it."""
    values = [{"text": "", "title": "t"}, {"abstract": None, "Title": "t"}, {"text": "a", "title": "t"}]
    body = json.dumps(values) if media_type == JSON else "\n".join(map(json.dumps, values))
    assert _records(media_type, body) == ["t", "t", "a"]


def test_features_hold_one_text():
    """SageMaker's own form; several texts are refused rather than dropped, in a line only for that line."""
    body = '{"features": ["a"]}\n{"features": ["a", "b"]}\n{"features": [1]}\n{"features": []}\n{"features": "a"}'
    records = codec.decode(LINES, body.encode(), 10).records
    assert records[0] == "a"
    assert [getattr(record, "code", "") for record in records[1:]] == ["second_text", *["bad_record"] * 3]
    with pytest.raises(RequestError, match="several texts"):
        _records(JSON, '{"instances": [{"features": ["a", "b"]}]}')


@pytest.mark.parametrize(
    "body", ['[\n{"text": "a"},\n{"text": "b"}\n]', '[{"text": "a"},\n{"text": "b"}]', "\n ["]
)
def test_an_array_over_lines_is_not_json_lines(body):
    """Most of its lines would be errors, and the others answered."""
    with pytest.raises(RequestError, match="begins with a JSON array") as caught:
        _records(LINES, body)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert _records(LINES, '[{"text": "a"}]\n"b"') == [None, "b"]


def test_an_empty_json_body_is_called_empty():
    """A client that sends no Content-Length sends no body."""
    for body in ("", " \n", "\ufeff"):
        with pytest.raises(RequestError, match="The body is empty"):
            _records(JSON, body)
