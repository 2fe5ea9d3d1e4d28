"""What a request asks for and would not get is refused by name: unknown fields, and a second text."""

import json

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError

JSON, LINES = "application/json", "application/jsonlines"


def _records(media_type: str, body: str) -> list[str | None]:
    """Return the records of a body, None for each that is wrong."""
    records = codec.decode(media_type, body.encode(), 100).records
    return [record if isinstance(record, str) else None for record in records]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"input": ["a"]}', "The object has 'input', but no text under a name in use. Did you mean inputs?"),
        (
            '{"sentence1": "a", "n": 1}',
            "The object has 'sentence1' and 'n', but no text under a name in use. Send",
        ),
        ("{}", "The object has no text under a name in use."),
        ('{"inputs": "a", "paramters": {"top_k": 2}}', "'paramters'"),
        ('{"inputs": "a", "text_pair": "b"}', "'text_pair'"),
        ('{"inputs": "a", "options": {"wait": true}}', "unknown option 'wait'"),
        (
            '{"inputs": "a", "parameters": {"topk": 2}}',
            "The request has an unknown parameter 'topk'. Did you mean top_k?",
        ),
        ('{"inputs": "a", "parameters": {"candidate_labels": ["b"]}}', "'candidate_labels'"),
        ('{"inputs": "a", "instances": ["b"]}', "both inputs and instances"),
    ],
)
def test_what_a_request_asks_for_in_vain_is_named(body, message):
    """A field that is not known is refused by its name, with the one that is most like it."""
    with pytest.raises(RequestError) as caught:
        _records(JSON, body)
    assert message in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"text": "a", "text_pair": "b"}, "text_pair"),
        ({"text": "a", "textPair": "b"}, "textPair"),
        ({"inputs": "a", "text_b": "b"}, "text_b"),
        ({"text": "a", "text2": "b"}, "text2"),
        ({"text": "a", "sentence2": "b"}, "sentence2"),
        ({"text": "a", "query": "b"}, "query"),
        ({"text": "a", "question": "b"}, "question"),
        ({"text": "a", "context": "b"}, "context"),
        ({"text": "a", "premise": "b"}, "premise"),
        ({"text": "a", "document": "b"}, "document"),
        ({"text": "a", "answer": "b"}, "answer"),
        ({"text": "a", "passage": "b"}, "passage"),
        ({"text": "a", "text1": "b"}, "text1"),
        ({"text": "a", "text_1": "b"}, "text_1"),
        ({"text": "a", "text3": "b"}, "text3"),
        ({"text": "a", "textA": "b"}, "textA"),
        ({"text": "a", "Text": "b"}, "Text"),
        ({"text": "a", "texts": ["b", "c"]}, "texts"),
        ({"text": "a", "sentence1": "b"}, "sentence1"),
        ({"text": "a", "sentence_a": "b"}, "sentence_a"),
        ({"text": "a", "next_sentence": "b"}, "next_sentence"),
        ({"text": "a", "body": "b"}, "body"),
        ({"text": "a", "input": "b"}, "input"),
        ({"text": "a", "hypothesis": "b"}, "hypothesis"),
        ({"text": "a", "abstract": "b"}, "abstract"),
        ({"text": ["a", "b"]}, "list of several texts"),
        (["a", "b"], "list of several texts"),
    ],
)
def test_a_second_text_fails_the_request(record, name):
    """An answer to the first of two texts would answer another question; in JSON Lines only the line fails."""
    for body in ({"inputs": ["fine", record]}, {"instances": [record]}):
        with pytest.raises(RequestError, match=name) as caught:
            _records(JSON, json.dumps(body))
        assert (caught.value.status, caught.value.code) == (400, "second_text")
    fine, wrong = codec.decode(LINES, f'"fine"\n{json.dumps(record)}\n'.encode(), 10).records
    assert fine == "fine"
    assert isinstance(wrong, RecordError)
    assert (name in wrong.error, wrong.code) == (True, "second_text")


def test_other_columns_of_a_record_are_ignored():
    """As training ignores them: what a file holds besides its texts."""
    record = {
        "id": 7,
        "text": "a",
        "title": "t",
        "label": "x",
        "created": "2026",
        "textual": True,
        "pairs": 2,
        "text_id": "t-7",
        "question_number": 3,
        "query": 5,
        "answer": True,
    }
    assert _records(LINES, json.dumps(record)) == ["a"]


def test_a_query_string_is_refused(make_service, predictor):
    """What it asks for would not be done; pings may have one."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()
    response = client.post("/invocations?top_k=3", json=["a"], buffered=True)
    assert response.status_code == 400
    assert "query string" in json.loads(response.text)["error"]
    assert client.get("/ping?from=monitor").status_code == 200


@pytest.mark.parametrize("none", [None, "", "  ", []])
def test_what_an_exporter_writes_for_none_is_no_second_text(none):
    """Tables with a column for pairs have it in every row."""
    assert _records(LINES, json.dumps({"text": "a", "text_pair": none, "context": none})) == ["a"]
    assert _records(LINES, '{"text": "a", "top_k": null}') == ["a"]


@pytest.mark.parametrize("name", ["top_k", "topK", "return_all_scores", "function_to_apply"])
def test_a_setting_inside_a_record_is_refused(name):
    """It is one of the whole request, and would do nothing there."""
    body = json.dumps({"inputs": ["fine", {"text": "a", name: 2}]})
    with pytest.raises(RequestError, match=f"A record has '{name}', which is a setting") as caught:
        _records(JSON, body)
    assert (caught.value.status, caught.value.code) == (400, "bad_parameters")


@pytest.mark.parametrize(("name", "example"), [("threshold", '"threshold": 0.5'), ("top_k", '"top_k": 3')])
def test_a_setting_in_a_record_is_told_its_place(name, example):
    """The remedy shows that very setting."""
    with pytest.raises(RequestError, match=f"A record has '{name}'") as caught:
        _records(JSON, json.dumps([{"text": "a", name: 1}]))
    assert str(caught.value).endswith(f'{{"inputs": "a text", "parameters": {{{example}}}}}.')
