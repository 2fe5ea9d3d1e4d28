"""What a request asks for and would not get is refused by name: unknown fields, and a second text."""

import json

import pytest

from bert_classifier.config import ServeConfig
from bert_classifier.errors import RequestError
from bert_classifier.serving import codec
from bert_classifier.serving.app import create_app

JSON, LINES = "application/json", "application/jsonlines"


def _records(media_type: str, body: str) -> list[str | None]:
    """Return the records of a body, None for each that is wrong."""
    records = codec.decode(media_type, body.encode(), 100).records
    return [record if isinstance(record, str) else None for record in records]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"input": ["a"]}', "The field 'input' of the request is not known here. Did you mean inputs?"),
        ('{"inputs": "a", "paramters": {"top_k": 2}}', "'paramters'"),
        ('{"inputs": "a", "text_pair": "b"}', "'text_pair'"),
        ('{"inputs": "a", "options": {"wait_for_model": true}}', "'options'"),
        (
            '{"inputs": "a", "parameters": {"topk": 2}}',
            "'topk' of the request is not known here. Did you mean top_k?",
        ),
        ('{"inputs": "a", "parameters": {"return_all_scores": true}}', "'return_all_scores'"),
        ('{"inputs": "a", "instances": ["b"]}', "both inputs and instances"),
    ],
)
def test_what_a_request_asks_for_in_vain_is_named(body, told):
    """A field that is not known is refused by its name, with the one that is most like it."""
    with pytest.raises(RequestError) as caught:
        _records(JSON, body)
    assert told in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"text": "a", "text_pair": "b"}, "text_pair"),
        ({"text": "a", "textPair": "b"}, "textPair"),
        ({"inputs": "a", "text_b": "b"}, "text_b"),
        ({"text": "a", "text2": "b"}, "text2"),
        ({"text": "a", "sentence2": None}, "sentence2"),
        ({"text": "a", "hypothesis": "b"}, "hypothesis"),
        ({"text": "a", "abstract": "b"}, "abstract"),
        ({"text": ["a", "b"]}, "list of several texts"),
        (["a", "b"], "list of several texts"),
    ],
)
def test_a_second_text_fails_the_request(record, name):
    """An answer to the first of two texts would answer another question; neighbours do not help."""
    for media_type, body in (
        (JSON, json.dumps({"inputs": ["fine", record]})),
        (JSON, json.dumps({"instances": [record]})),
        (LINES, f'"fine"\n{json.dumps(record)}\n'),
    ):
        with pytest.raises(RequestError, match=name) as caught:
            _records(media_type, body)
        assert (caught.value.status, caught.value.code) == (400, "second_text")


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
    }
    assert _records(LINES, json.dumps(record)) == ["a"]


def test_a_query_string_is_refused(make_service, predictor):
    """What it asks for would not be done; pings may have one."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()
    response = client.post("/invocations?top_k=3", json=["a"], buffered=True)
    assert response.status_code == 400
    assert "query string" in json.loads(response.text)["error"]
    assert client.get("/ping?from=monitor").status_code == 200
