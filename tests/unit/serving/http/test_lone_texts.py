"""A text that comes alone and cannot be classified fails its request, except in batch transform."""

import json

import pytest

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "The text is empty."),
        ({"inputs": ""}, "The text is empty."),
        ({"inputs": "\u200b"}, "The text is empty: the tokenizer finds nothing in its characters."),
        ({"inputs": {"text": 5}}, "The text must be a string, not a number."),
        ({"text": None}, "The text must be a string, not null."),
    ],
)
def test_a_lone_text_fails_its_request(make_service, predictor, body, error):
    """In a list, and in a file of batch transform, what is wrong stands in its place."""
    service = make_service(predictor)
    client = create_app(service, ServeConfig()).test_client()
    response = client.post("/invocations", json=body)
    assert response.status_code == 400
    assert json.loads(response.text) == {"error": f"{error} Send a text.", "code": "bad_record"}
    in_batch = create_app(service, ServeConfig(sagemaker_batch=True)).test_client()
    response = in_batch.post("/invocations", json=body)
    found = json.loads(response.text)
    inline = found if isinstance(found, dict) else found[0]
    assert (response.status_code, inline["code"]) == (200, "bad_record")
    text = body["inputs"] if isinstance(body, dict) and "inputs" in body else body
    assert json.loads(client.post("/invocations", json=[text]).text) == [inline]
