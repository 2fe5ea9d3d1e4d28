"""The HTTP side with Flask's client and a real tiny model: forms, statuses, limits, and what never leaks."""

import io
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient

from bert_classifier.data.text_fields import TextFields
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.facts import ModelFacts
from bert_classifier.serving.model.predictor import Prediction, Predictor
from bert_classifier.serving.model.service import ModelService
from support.patience import PATIENCE_S

JSON, LINES, CSV, PLAIN = "application/json", "application/jsonlines", "text/csv", "text/plain"
BODIES = {
    JSON: '{"inputs": ["apple", "", "river, ocean"]}',
    LINES: '"apple"\n""\n{"text": "river, ocean"}',
    CSV: 'apple\n\n"river, ocean"',
    PLAIN: "apple\n\nriver, ocean",
}


class ToyPredictor:
    """Answers each text with the same scores, after `may_go`; a text that begins with "poison" raises."""

    labels = ("no", "yes")
    abstain_below = 0.0
    fields = TextFields()
    about: Mapping[str, Any] = {}
    facts = ModelFacts(64)
    thresholds = None
    max_cost, quick_cost = 512, 0
    lane = "toy"
    probe = "any"

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.may_go.set()
        self.is_busy = threading.Event()

    def cost_of(self, _text: str) -> int:
        return 1

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.is_busy.set()
        assert self.may_go.wait(PATIENCE_S)
        if any(text.startswith("poison") for text in texts):
            raise ValueError(f"cannot digest {texts}")
        return [Prediction([0.25, 0.75], [1, 0], truncated=False) for _ in texts]


@pytest.fixture
def client(make_service: Callable[..., ModelService], predictor: Predictor) -> FlaskClient:
    """Return a client of an app around the real tiny model."""
    return create_app(make_service(predictor), ServeConfig(serving_max_records=50)).test_client()


@pytest.fixture
def toy() -> ToyPredictor:
    return ToyPredictor()


@pytest.fixture
def toy_client(make_service: Callable[..., ModelService], toy: ToyPredictor) -> FlaskClient:
    """Return a client of an app that waits a second for the model."""
    config = ServeConfig(sagemaker_model_server_timeout=1)
    return create_app(make_service(toy), config).test_client()


def _ask(client: FlaskClient, body: Any, content_type: str | None = JSON, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body) if isinstance(body, list | dict) else body
    return client.post("/invocations", data=data, content_type=content_type, headers=names, buffered=True)


def _code(response: Any) -> tuple[int, str]:
    """Return status and code of an error, after checking its form."""
    assert response.content_type == JSON
    assert set(response.json) <= {"error", "code", "id"}
    assert len(response.data) < 2048
    return response.status_code, response.json["code"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_ping_of_a_ready_model(client, method):
    """Every way of asking gets 200 and an empty body."""
    response = client.open("/ping", method=method)
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("content_type", BODIES)
@pytest.mark.parametrize("accept", [JSON, LINES, CSV])
def test_every_form_in_and_out(client, content_type, accept):
    """Each form gives the same answers in each form, with the wrong record in its place."""
    response = _ask(client, BODIES[content_type], content_type, Accept=accept)
    assert response.status_code == 200
    assert response.content_type == accept, "bare: SDKs compare it as a whole"
    best = json.loads(_ask(client, BODIES[JSON]).data)
    assert [set(entry) for entry in best] == [{"label", "score"}, {"error", "code"}, {"label", "score"}]
    if accept == CSV:
        rows = [f"{e['label']},{e['score']}," if "label" in e else f",,{e['error']}" for e in best]
        assert response.text == "\n".join(rows)
    else:
        answers = [json.loads(line) for line in response.text.split("\n")]
        assert (answers[0] if accept == JSON else answers) == best


def test_batched_answers_equal_lone_ones(client):
    """A text gets the same label and score in a list as alone."""
    texts = ["apple", "river ocean harbour " * 20, "the", "engine wheel"]
    together = _ask(client, texts).json
    assert together == [_ask(client, text).json[0] for text in map(json.dumps, texts)]
    assert ["truncated" in entry for entry in together] == [False, True, False, False]


def test_top_k(client):
    """top_k names that many classes a text, in a list each in a list, with scores that sum to one."""
    classes = _ask(client, {"inputs": "apple", "parameters": {"top_k": 3}}).json
    assert _ask(client, {"inputs": ["apple"], "parameters": {"top_k": 3}}).json == [classes]
    assert sorted(entry["label"] for entry in classes) == ["Alpha", "Beta", "Gamma"]
    assert sum(entry["score"] for entry in classes) == pytest.approx(1, abs=1e-5)


def test_nothing_to_classify(client):
    """A request without a single usable text is answered without the model."""
    assert _ask(client, []).json == []
    assert [entry["code"] for entry in _ask(client, ["", None]).json] == ["bad_record"] * 2


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "expected"),
    [
        ("{", JSON, {}, (400, "bad_json")),
        ('["a"]', None, {}, (415, "unsupported_media_type")),
        ('["a"]', "application/octet-stream", {}, (415, "unsupported_media_type")),
        ('["a"]', "application/json; charset=latin-9000", {}, (415, "unsupported_charset")),
        ('["a"]', "application/json; charset=utf-16", {}, (400, "bad_encoding")),
        ('["a"]', JSON, {"Accept": "text/csv; top_k=0"}, (406, "not_acceptable")),
        ('""', JSON, {}, (400, "bad_record")),
        ('{"inputs": {"text": 5}}', JSON, {}, (400, "bad_record")),
        ('{"inputs": "\u200b"}', JSON, {}, (400, "bad_record")),
        ('["a"]', JSON, {"Content_Encoding": "gzip"}, (415, "unsupported_encoding")),
        ('["a"]', JSON, {"Accept": "text/html"}, (406, "not_acceptable")),
        (["a"] * 51, JSON, {}, (413, "too_many_records")),
        ([{"text": "a", "text_pair": "b"}], JSON, {}, (400, "second_text")),
        ("text\n", CSV, {}, (400, "bad_csv")),
        ("Alpha,apple\nBeta,river\nOther,ocean", CSV, {}, (400, "bad_csv")),
        ("apple", "text/csv; header=first", {}, (415, "unsupported_media_type")),
    ],
)
def test_requests_that_cannot_be_answered(client, body, content_type, headers, expected):
    """A request that is wrong as a whole gets its status and a code, as JSON."""
    assert _code(_ask(client, body, content_type, **headers)) == expected


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/invocations/../ping", 404, None),
        ("GET", "/invocations", 405, "POST"),
        ("OPTIONS", "/invocations", 405, "POST"),
        ("DELETE", "/ping", 405, "GET, HEAD, POST"),
    ],
)
def test_paths_and_methods_that_are_not_there(client, method, path, status, allow):
    """Unknown paths and methods get JSON too, and 405 says what is allowed."""
    response = client.open(path, method=method)
    assert _code(response)[0] == status
    assert response.headers.get("Allow") == allow


def test_execution_parameters(client):
    """Batch transform gets two numbers whose product SageMaker accepts, and no batch strategy."""
    parameters = client.get("/execution-parameters").json
    assert parameters == {"MaxConcurrentTransforms": 2, "MaxPayloadInMB": 6}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(make_service, toy, chunked):
    """A body over the limit is 413, whether its length is declared or not; one of just the limit is read."""

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 2**20 + chunked, "what is known to be too large is not even read"
            return super().read(size)

    app = create_app(make_service(toy), ServeConfig(sagemaker_max_payload_in_mb=1))
    for size, status in ((2**20, 200), (2**20 + 1, 413)):
        body = b"x" * size
        environ = {"wsgi.input": Body(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(size)}
        if chunked:
            environ |= {"HTTP_TRANSFER_ENCODING": "chunked"}
        response = app.test_client().post(
            "/invocations", content_type=PLAIN, environ_overrides=environ, buffered=True
        )
        assert response.status_code == status
    assert _code(response) == (413, "body_too_large")


def test_a_body_that_is_cut_short(toy_client):
    """A body shorter than its Content-Length is 400, and nothing of it is classified."""
    short = {"wsgi.input": io.BytesIO(b"ap"), "CONTENT_LENGTH": "5"}
    response = toy_client.post("/invocations", content_type=PLAIN, environ_overrides=short, buffered=True)
    assert _code(response) == (400, "broken_body")


@pytest.mark.parametrize(
    ("attributes", "is_echoed"),
    [
        ("trace=1; user=Jo", True),
        ("x" * 1024, True),
        ("x" * 1025, False),
        ("caf\u00e9", False),
        ("a\tb", False),
        ("", False),
    ],
)
def test_custom_attributes(client, attributes, is_echoed):
    """The caller's own header comes back as sent, on errors too, if SageMaker allows it; else not at all."""
    name = "X-Amzn-SageMaker-Custom-Attributes"
    for body in ('["a"]', "{"):
        response = client.post(
            "/invocations", data=body, content_type=JSON, headers={name: attributes}, buffered=True
        )
        assert response.headers.get(name) == (attributes if is_echoed else None)


def test_while_the_model_is_loaded():
    """Before the model is ready, pings and requests get 503 at once; if it fails to load they still do."""
    may_fail, failures = threading.Event(), list[Exception]()

    def load() -> Any:
        may_fail.wait(PATIENCE_S)
        raise ValueError("no model")

    service = ModelService(load, failures.append, ServeConfig(), Metrics())
    client = create_app(service, ServeConfig()).test_client()
    service.start()
    for _ in range(2):
        responses = (client.get("/ping"), _ask(client, ["a"]))
        assert [_code(response) for response in responses] == [(503, "not_ready")] * 2
        assert all(response.headers["Retry-After"] for response in responses)
        may_fail.set()
        while not service.close(timeout=0):
            pass
    assert [str(failure) for failure in failures] == ["no model"]


def test_too_many_requests(make_service, toy):
    """More requests than admitted get 429 at once with a hint when to return; pings are still answered."""
    client = create_app(make_service(toy), ServeConfig(serving_max_concurrent_requests=1)).test_client()
    toy.may_go.clear()
    admitted: list[Any] = []
    thread = threading.Thread(target=lambda: admitted.append(_ask(client, ["a"])))
    thread.start()
    assert toy.is_busy.wait(PATIENCE_S)
    response = _ask(client, ["a"])
    assert _code(response) == (429, "overloaded")
    assert response.headers["Retry-After"]
    assert client.get("/ping").status_code == 200
    toy.may_go.set()
    thread.join(PATIENCE_S)
    assert [response.status_code for response in (*admitted, _ask(client, ["a"]))] == [200, 200]


def test_an_answer_that_takes_too_long(toy_client, toy):
    """After the deadline the caller gets 504, and the next request is served."""
    toy.may_go.clear()
    assert _code(_ask(toy_client, ["a"])) == (504, "timeout")
    toy.may_go.set()
    assert _ask(toy_client, ["a"]).json == [{"label": "yes", "score": 0.75}]


def test_a_bug_is_answered_by_an_id_only(toy_client, caplog):
    """A bug is 500 with an id that the log has too; neither holds the error's message or the text."""
    logger = logging.getLogger("bert_classifier.serving.http.answers")
    logger.addHandler(caplog.handler)
    response = _ask(toy_client, ["poison secret-7"])
    logger.removeHandler(caplog.handler)
    assert _code(response) == (500, "internal_error")
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert response.json["id"] in logged
    assert "ValueError" in logged
    assert "in predict" in logged
    for place in (logged, response.text):
        assert "secret-7" not in place
    assert "Traceback" not in response.text
    assert _ask(toy_client, ["a"]).status_code == 200
