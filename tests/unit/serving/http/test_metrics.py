"""What /metrics holds, in which formats, and whether SageMaker finds it."""

import re
import threading
import time

import botocore.session
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving import refusals
from bert_classifier.serving.http.app import METRICS_PATH, create_app
from bert_classifier.serving.metrics import CODES, CUTS, OTHER, ROUTES, STATUSES, Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import load_predictors
from bert_classifier.serving.model.service import ModelService
from support.patience import PATIENCE_S

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OF_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
LARGEST = 128 * 1024


def _samples(text, parse=text_string_to_metric_families):
    return {(s.name, *s.labels.values()): s.value for f in parse(text) for s in f.samples}


def _counts(client):
    return _samples(client.get(METRICS_PATH).text)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, PLAIN),
        ("*/*", PLAIN),
        ("text/plain", PLAIN),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", PLAIN),
        ("text/plain;version=latest", PLAIN),
        ("application/openmetrics-text", OPEN),
        ("application/openmetrics-text;version=latest", OPEN),
        ("Application/OpenMetrics-Text; version=9.9.9; escaping=canary", OPEN),
        (OF_PROMETHEUS, OPEN),
    ],
)
def test_both_formats_by_accept(observed, accept, expected):
    """Each reads with prometheus_client's own parser for it; no Accept header fails, and none is echoed."""
    observed.post("/invocations", json=["apple"], buffered=True)
    response = observed.get(METRICS_PATH, headers={} if accept is None else {"Accept": accept})
    assert (response.status_code, response.content_type) == (200, expected)
    parse = openmetrics.text_string_to_metric_families if expected == OPEN else text_string_to_metric_families
    found = _samples(response.text, parse)
    assert found["bert_requests_total", "200"] == 1
    assert found["bert_request_seconds_count", "/invocations", "2xx"] == 1


def test_sagemaker_finds_them():
    """Path and port are the ones that botocore's model names as SageMaker's default, and the path is a valid one."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    default = re.sub("<.*?>", "", model.shape_for("ContainerMetricsConfig").documentation)
    port = ServeConfig().sagemaker_bind_to_port
    assert f"the default path {METRICS_PATH} on port {port} is used" in default
    assert re.fullmatch(model.shape_for("MetricsEndpointPath").metadata["pattern"], METRICS_PATH)


def test_while_the_model_is_loaded_and_after_it_failed():
    """They are answered, and say that the server is not ready."""
    may_fail, failures = threading.Event(), list[Exception]()

    def load():
        may_fail.wait(PATIENCE_S)
        raise ValueError("no model")

    metrics = Metrics()
    service = ModelService(load, failures.append, ServeConfig(), metrics)
    client = create_app(service, ServeConfig(), metrics).test_client()
    service.start()
    for pings in (1, 2):
        assert client.get("/ping", buffered=True).status_code == 503
        found = _counts(client)
        assert found["bert_ready",] == 0
        assert found["bert_refusals_total", "not_ready"] == pings
        assert found["bert_request_seconds_count", "/ping", "5xx"] == pings
        may_fail.set()
        while not service.close(timeout=0):
            pass


def test_under_overload(make_service, predictor):
    """They are answered while every request is refused with 429, which is a class of its own."""
    config, metrics = ServeConfig(serving_max_concurrent_requests=1), Metrics()
    client = create_app(make_service(predictor), config, metrics).test_client()
    held = client.post("/invocations", json=["apple"])  # its answer is not read to the end: still in progress
    assert client.post("/invocations", json=["apple"], buffered=True).status_code == 429
    found = _counts(client)
    assert found["bert_request_seconds_count", "/invocations", "429"] == 1
    assert found["bert_refusals_total", "overloaded"] == 1
    assert found["bert_requests_in_flight",] == 1
    assert found["bert_ready",] == 1
    held.close()


def test_what_is_served(artifact_dir):
    """The family of the encoder, the number of classes and the arithmetic."""
    metrics = Metrics()
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    load_predictors(artifact_dir, plan, max_batch_tokens=128, precision="int8", metrics=metrics)
    families = {f.name: f for f in text_string_to_metric_families(metrics.render()[0].decode())}
    (sample,) = families["bert_model_info"].samples
    about = {name: sample.labels[name] for name in ("encoder", "classes", "precision")}
    assert about == {"encoder": "bert", "classes": "3", "precision": "int8"}


def test_since_when_it_counts(observed):
    """The start is that of this worker, so that a reset of the counts explains itself."""
    assert 0 <= time.time() - _counts(observed)["bert_start_time_seconds",] < 600


def test_pings_apart_from_invocations(observed):
    """Requests and their latency are counted by route and by class of answer."""
    for _ in range(3):
        observed.get("/ping", buffered=True)
    observed.get("/nothing", buffered=True)
    observed.post("/invocations", json=["apple"], buffered=True)
    observed.post("/invocations", data="{", content_type="application/json", buffered=True)
    found = _counts(observed)
    of_routes = {
        key[1:]: value for key, value in found.items() if key[0] == "bert_request_seconds_count" and value
    }
    assert of_routes == {
        ("/ping", "2xx"): 3,
        (OTHER, "4xx"): 1,
        ("/invocations", "2xx"): 1,
        ("/invocations", "4xx"): 1,
    }
    assert found["bert_request_seconds_sum", "/invocations", "2xx"] > 0


def test_requests_create_no_series(observed):
    """Whatever clients send, labels come from closed sets, and the answer stays small."""
    for method in ("GET", "POST", "PUT", "CANARY"):
        for path in (
            "/",
            "/canary",
            "/ping",
            "/invocations",
            METRICS_PATH,
            "/models/canary",
            "/execution-parameters",
        ):
            observed.open(path, method=method, data="canary", headers={"Accept": "canary"}, buffered=True)
    response = observed.get(METRICS_PATH)
    assert "canary" not in response.text.lower()
    assert len(response.data) < LARGEST
    for family in text_string_to_metric_families(response.text):
        for labels in (sample.labels for sample in family.samples):
            assert labels.get("route", OTHER) in ROUTES
            assert labels.get("status", "2xx") in STATUSES
            assert labels.get("reason", OTHER) in {OTHER, *refusals.CODES, *CUTS}
            if family.name == "bert_refusals":
                assert labels["code"] in CODES


def test_unknown_codes_and_routes_are_counted_together():
    """A code or route that is not listed counts as other."""
    metrics = Metrics()
    metrics.note_refusal("canary")
    metrics.observe_request("/canary", 404, 0.1)
    text = metrics.render()[0].decode()
    found = _samples(text)
    assert found["bert_refusals_total", OTHER] == 1
    assert found["bert_request_seconds_count", OTHER, "4xx"] == 1
    assert "canary" not in text


def test_no_series_says_when_another_began(observed):
    """Each would be published too; bert_start_time_seconds says it for all."""
    assert "_created" not in observed.get("/metrics").text
