"""What /metrics and the access log say, and what they never say."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bert_classifier.job.config import ServeConfig
from bert_classifier.serving.http import access_log
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import STAGES, Metrics
from bert_classifier.serving.model.predictor import Predictor
from bert_classifier.serving.model.service import ModelService

CANARY = "canary"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    access_log.configure(stream)
    yield stream
    logging.getLogger(access_log.__name__).handlers.clear()


@pytest.fixture
def client(artifact_dir, predictor):
    """Return a client of an app whose model shares its metrics, as in the server."""
    metrics, failures = Metrics(), list[Exception]()
    own = Predictor(predictor._artifact, 128, metrics)
    service = ModelService(lambda: [own], failures.append, ServeConfig(), metrics)
    service.start()
    while not service.is_ready:
        assert not failures
    yield create_app(service, ServeConfig(), metrics).test_client()
    assert service.close(10)


def _metrics(client):
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (s.name, *s.labels.values()): s.value for f in families for s in f.samples if "le" not in s.labels
    }


def test_metrics_count_what_happens(client):
    """Requests by code, records by outcome, tokens, passes and the seconds of each stage are there."""
    client.post("/invocations", json=["apple", "river ocean", ""], buffered=True)
    client.post("/invocations", data="{", content_type="application/json", buffered=True)
    found = _metrics(client)
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
def test_a_text_without_any_token_is_refused_like_an_empty_one(client, empty):
    """In its place, alone and among others, and counted as refused."""
    responses = [
        json.loads(client.post("/invocations", json=[empty, *more], buffered=True).text)
        for more in ([], ["apple"])
    ]
    for answers in responses:
        assert answers[0]["code"] == "bad_record"
        assert answers[0]["error"].startswith("the text is empty")
    assert set(responses[1][1]) == {"label", "score"}
    found = _metrics(client)
    assert (found["bert_records_total", "refused"], found["bert_records_total", "classified"]) == (2, 1)


def test_the_access_log_is_json_without_a_word_of_the_callers(client, log):
    """One object a line; paths that are not served, queries, headers and bodies leave no trace."""
    headers = {"X-Amzn-SageMaker-Custom-Attributes": CANARY, "User-Agent": CANARY, "Accept": CANARY}
    client.post("/invocations", json=[CANARY], buffered=True)
    client.post(f"/invocations?{CANARY}", data=CANARY, headers=headers, buffered=True)
    client.open(f"/{CANARY}", method=CANARY.upper(), buffered=True)
    client.get("/ping", buffered=True)
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [entry["status"] for entry in entries] == [200, 415, 404]
    assert [entry["path"] for entry in entries] == ["/invocations", "/invocations", "-"]
    assert [entry["method"] for entry in entries] == ["POST", "POST", "-"]
    assert entries[0]["bytes_in"] == len(f'["{CANARY}"]')
    assert entries[0]["milliseconds"] > 0
    assert CANARY not in log.getvalue().lower()
    assert CANARY not in client.get("/metrics").text


def test_the_access_log_can_be_turned_off(make_service, predictor, log):
    """SERVING_ACCESS_LOG=false leaves it empty."""
    client = create_app(make_service(predictor), ServeConfig(serving_access_log=False)).test_client()
    client.post("/invocations", json=["apple"], buffered=True)
    assert log.getvalue() == ""


@pytest.mark.parametrize("path", ["/models", "/models/one", "/models/one/invoke"])
def test_multi_model_calls_are_refused_plainly(client, path):
    """The calls of a multi-model endpoint get 501 and a reason."""
    response = client.post(path, buffered=True)
    assert (response.status_code, response.json["code"]) == (501, "multi_model_unsupported")
