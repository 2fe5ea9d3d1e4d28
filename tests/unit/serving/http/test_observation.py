"""What /metrics and the access log say, and what they never say."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import STAGES

CANARY = "canary"


def _metrics(observed):
    families = text_string_to_metric_families(observed.get("/metrics").text)
    return {
        (s.name, *s.labels.values()): s.value for f in families for s in f.samples if "le" not in s.labels
    }


def test_metrics_count_what_happens(observed):
    """Requests by code, records by outcome, tokens, passes and the seconds of each stage are there."""
    observed.post("/invocations", json=["apple", "river ocean", ""], buffered=True)
    observed.post("/invocations", data="{", content_type="application/json", buffered=True)
    found = _metrics(observed)
    assert found["bert_requests_total", "200"] == found["bert_requests_total", "400"] == 1
    assert found["bert_records_total", "classified"] == 2
    assert found["bert_records_total", "refused"] == 1
    assert found["bert_records_total", "failed"] == 0
    assert found["bert_pass_texts_count",] == 1
    assert found["bert_pass_texts_sum",] == 2
    assert (found["bert_tokens_total", "text"], found["bert_tokens_total", "padding"]) == (7, 0)
    assert found["bert_requests_in_flight",] == 0
    for stage in STAGES:
        assert found["bert_stage_seconds_count", stage] == 1


@pytest.mark.parametrize("empty", ["\u200b", "\0", "\u0301"])
def test_a_text_without_any_token_is_refused_like_an_empty_one(observed, empty):
    """In its place, alone and among others, and counted as refused."""
    responses = [
        json.loads(observed.post("/invocations", json=[empty, *more], buffered=True).text)
        for more in ([], ["apple"])
    ]
    for answers in responses:
        assert answers[0]["code"] == "bad_record"
        assert answers[0]["error"].startswith("the text is empty")
    assert set(responses[1][1]) == {"label", "score"}
    found = _metrics(observed)
    assert (found["bert_records_total", "refused"], found["bert_records_total", "classified"]) == (2, 1)


def test_the_access_log_is_json_without_a_word_of_the_callers(observed, log_text, log_lines):
    """One object a line; paths that are not served, queries, headers and bodies leave no trace."""
    headers = {"X-Amzn-SageMaker-Custom-Attributes": CANARY, "User-Agent": CANARY, "Accept": CANARY}
    observed.post("/invocations", json=[CANARY], buffered=True)
    observed.post(f"/invocations?{CANARY}", data=CANARY, headers=headers, buffered=True)
    observed.open(f"/{CANARY}", method=CANARY.upper(), buffered=True)
    observed.get("/ping", buffered=True)
    entries = log_lines()
    assert [entry["status"] for entry in entries] == [200, 415, 404]
    assert [entry["path"] for entry in entries] == ["/invocations", "/invocations", "-"]
    assert [entry["method"] for entry in entries] == ["POST", "POST", "-"]
    assert entries[0]["bytes_in"] == len(f'["{CANARY}"]')
    assert entries[0]["milliseconds"] > 0
    assert CANARY not in log_text().lower()
    assert CANARY not in observed.get("/metrics").text


def test_the_access_log_has_the_path_of_a_method_that_it_does_not_take(observed, log_lines):
    """405 on a path that is served names it; 404 on any other does not."""
    observed.get("/invocations", buffered=True)
    observed.get(f"/{CANARY}", buffered=True)
    assert [(entry["path"], entry["status"]) for entry in log_lines()] == [("/invocations", 405), ("-", 404)]


def test_the_access_log_can_be_turned_off(make_service, predictor, log_text):
    """SERVING_ACCESS_LOG=false leaves it empty."""
    client = create_app(make_service(predictor), ServeConfig(serving_access_log=False)).test_client()
    client.post("/invocations", json=["apple"], buffered=True)
    assert log_text() == ""


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("X-Amzn-SageMaker-Inference-Id", "order 7 (late)", "inference_id"),
        ("X-Amzn-SageMaker-Inference-Id", "x" * 64, "inference_id"),
        ("X-Amzn-SageMaker-Inference-Id", "x" * 65, None),
        ("X-Amzn-SageMaker-Inference-Id", " ", None),
        ("X-Amzn-SageMaker-Inference-Id", "caf\u00e9", None),
        ("X-Amzn-SageMaker-Inference-Id", "a\tb", None),
        ("X-Amzn-SageMaker-Request-Id", "fa00db36-ffba-11e8-882b-8bc33ca9084d", "request_id"),
        ("X-Amzn-RequestId", "fa00db36-ffba-11e8-882b-8bc33ca9084d", "request_id"),
        ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678;Sampled=1", "request_id"),
        ("X-Amzn-Trace-Id", "x" * 129, None),
        ("X-Amzn-RequestId", "a sentence of words", None),
        ("X-Amzn-RequestId", '"},{', None),
    ],
)
def test_ids_of_sagemaker(observed, log_lines, name, value, field):
    """An inference id and a request id are in the log as sent if they look like ids, else not at all."""
    for body in ('["apple"]', "{"):
        observed.post(
            "/invocations", data=body, content_type="application/json", headers={name: value}, buffered=True
        )
    entries = log_lines()
    assert [entry.get(field) for entry in entries] == [value if field else None] * 2
    assert not {"inference_id", "request_id"} - {field} & entries[0].keys()


def test_the_first_id_that_looks_like_one(observed, log_lines):
    """SageMaker's own header counts before those of other services."""
    ids = {"X-Amzn-Trace-Id": "Root=1", "X-Amzn-RequestId": "one", "X-Amzn-SageMaker-Request-Id": "no id"}
    observed.get("/", headers=ids, buffered=True)
    assert log_lines()[0]["request_id"] == "one"
