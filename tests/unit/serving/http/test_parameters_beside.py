"""What the body's `parameters`, the Accept header and the settings ask for together: nothing of it is lost."""

import json
from typing import Any

import pytest

from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.accept import of_accept
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.parameters import Wanted

TEXTS = ["apple cherry", "river ocean, harbour", "a wheel", "violin"]
FIELDS = Wanted(fields=("predicted_label",))
NO_LIMIT = Wanted(threshold=0.0)
BOTH = Wanted(fields=("predicted_label",), threshold=0.0)
ACCEPT_FIELDS = {"Accept": f"{CSV}; output=predicted_label"}


@pytest.mark.parametrize(
    ("asked", "other", "found"),
    [
        (NO_LIMIT, FIELDS, BOTH),
        (FIELDS, NO_LIMIT, BOTH),
        (NO_LIMIT, Wanted(threshold=0.9), NO_LIMIT),
        (FIELDS, Wanted(fields=("labels",), threshold=0.0), BOTH),
        (Wanted(3), FIELDS, Wanted(3)),
        (FIELDS, Wanted(3), FIELDS),
        (Wanted(3), Wanted("all"), Wanted(3)),
    ],
)
def test_fields_and_a_threshold_add_up(asked, other, found):
    """Whichever stands where; of two for the same thing, the nearer decides."""
    assert asked.beside(other, is_setting=False) == found
    assert asked.beside(other, is_setting=True) == found


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        (NO_LIMIT, Wanted(3)),
        (Wanted(3), NO_LIMIT),
        (NO_LIMIT, Wanted(in_model_order=True)),
        (Wanted(3), BOTH),
    ],
)
def test_a_list_of_classes_beside_a_threshold_is_refused(asked, other):
    """As within one of both; but a setting only stands in for what a request does not say."""
    with pytest.raises(RequestError, match='One of "parameters" and the Accept header has "threshold"'):
        asked.beside(other, is_setting=False)
    assert asked.beside(other, is_setting=True) == asked


def answers(client: Any, accept: dict[str, str], **parameters: Any) -> Any:
    """Return the response to four texts."""
    body = {"inputs": TEXTS, "parameters": parameters}
    return client.post("/invocations", json=body, headers=accept, buffered=True)


def test_the_body_and_the_header_are_answered_together(make_service, multi_label_predictor):
    """Fields of the header at the body's threshold: all five labels at 0, in one cell, and none above 1."""
    client = create_app(make_service(multi_label_predictor), ServeConfig()).test_client()
    rows = answers(client, ACCEPT_FIELDS, threshold=0).text.split("\n")
    assert [row.count("|") for row in rows] == [4] * 4
    assert not any("," in row for row in rows)
    swapped = answers(client, {"Accept": f"{CSV}; threshold=0"}, output="predicted_label").text
    assert swapped.split("\n") == rows
    refused = answers(client, {"Accept": f"{JSON}; top_k=2"}, threshold=0)
    assert (refused.status_code, refused.json["code"]) == (400, "bad_parameters")


def test_settings_are_answered_together_with_a_request(make_service, multi_label_predictor):
    """Fields by SAGEMAKER_INFERENCE_OUTPUT, the threshold by the body or by the header."""
    config = ServeConfig(sagemaker_inference_output=("predicted_label",))
    client = create_app(make_service(multi_label_predictor), config).test_client()
    for accept, more in (({}, {"threshold": 0}), ({"Accept": f"{JSON}; threshold=0"}, {})):
        found = answers(client, accept, **more).json
        assert [sorted(answer) for answer in found] == [["predicted_label"]] * 4
        assert [len(answer["predicted_label"]) for answer in found] == [5] * 4
    assert len(answers(client, {}, top_k=2).json[0]) == 2


def test_a_line_of_its_own_that_contradicts_the_header_is_an_error_in_its_place(
    make_service, multi_label_predictor
):
    """The other lines are answered."""
    client = create_app(make_service(multi_label_predictor), ServeConfig()).test_client()
    lines = b'{"text": "apple", "parameters": {"threshold": 0}}\n{"text": "violin"}\n'
    accept = {"Accept": f"{JSON_LINES[0]}; top_k=2"}
    found = client.post(
        "/invocations", data=lines, content_type=JSON_LINES[0], headers=accept, buffered=True
    ).text
    wrong, right = found.split("\n")
    assert '"code": "bad_parameters"' in wrong
    assert right.count('"label"') == 2


def test_a_default_accept_is_a_setting():
    """A request's own parameters replace what it asks for."""
    config = ServeConfig(sagemaker_default_invocations_accept=f"{JSON}; top_k=3")
    assert of_accept(None, JSON, config).is_setting
    assert not of_accept("*/*; threshold=0.3", JSON, config).is_setting
    assert not of_accept(JSON, JSON, config).is_setting


@pytest.mark.parametrize("fields", [TextFields(), TextFields(is_paired=True)])
@pytest.mark.parametrize("name", ["parametrs", "Parameters", "parameter", "params"])
def test_misspelt_parameters_of_a_record_are_an_error_in_its_place(fields, name):
    """As in an envelope of JSON, where they fail the request; another field is a column of data, and ignored."""
    text = {"text": "a", "text_pair": "b"} if fields.is_paired else {"text": "a"}
    records = [{**text, name: {"top_k": 3}}, {**text, name: {"x": 1}, "options": {"top_k": 3}, "n": 1}]
    wrong, right = (
        codec.decode(JSON_LINES[0], json.dumps(record).encode(), 9, CsvForm(fields=fields)).records[0]
        for record in records
    )
    message = f"A record has the unknown field '{name}'. Did you mean parameters?"
    assert wrong == RecordError(message, "bad_parameters")
    assert not isinstance(right, RecordError)
    with pytest.raises(RequestError, match=message.replace("?", "")):
        codec.decode(JSON, json.dumps([records[0]]).encode(), 9, CsvForm(fields=fields))


@pytest.mark.parametrize("fields", [TextFields(), TextFields(is_paired=True)])
def test_parameters_of_a_record_in_a_list_are_not_called_misspelt(fields):
    """The record's error says where they belong; the others are answered."""
    text = {"text": "a", "text_pair": "b"} if fields.is_paired else {"text": "a"}
    body = json.dumps([{**text, "parameters": {"top_k": 3}}, text]).encode()
    wrong, right = codec.decode(JSON, body, 9, CsvForm(fields=fields)).records
    assert isinstance(wrong, RecordError)
    assert (
        wrong.error == '"parameters" apply to a whole request: put them beside "inputs" in application/json'
    )
    assert not isinstance(right, RecordError)


def test_a_threshold_with_a_decimal_comma_is_refused():
    """The comma would begin another media type, and the threshold be 0."""
    for accept in (f"{JSON}; threshold=0,9", f"{JSON};THRESHOLD = 1,5, */*"):
        with pytest.raises(RequestError, match="threshold has a decimal comma"):
            of_accept(accept, JSON, ServeConfig())
    assert of_accept(f"{JSON};threshold=0.5,{CSV}", JSON, ServeConfig()).wanted is not None
