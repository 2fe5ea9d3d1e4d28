"""The fields of the access log's lines about /invocations, and that nothing of a body is among them."""

import io
import json
import select

import pytest

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import access_log
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.service import ModelService

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
ALWAYS = {"time", "method", "path", "status", "bytes_in", "bytes_out", "milliseconds", "type_out"}
ANSWERED = {"head", "body", "decode", "queue", "classify", "encode", "write"}
LONG = "river ocean harbour " * 20
CANARY = "canary"


def _send(client, body, content_type=JSON, accept=JSON):
    data = body if isinstance(body, str) else json.dumps(body)
    return client.post(
        "/invocations", data=data, content_type=content_type, headers={"Accept": accept}, buffered=True
    )


def test_records_and_what_became_of_them(observed, log_lines):
    """Inline errors of all kinds, cut texts, and the media types of both bodies."""
    _send(observed, ["apple", "", LONG, "\u200b", 7])
    _send(observed, '"apple"\n"river"', LINES, CSV)
    _send(observed, [])
    first, second, third = log_lines()
    keys = ("records", "errors", "truncated", "unsure", "type_in", "type_out")
    assert [first[key] for key in keys] == [5, 3, 1, 0, JSON, JSON]
    assert [second[key] for key in keys] == [2, 0, 0, 0, LINES, CSV]
    assert [third[key] for key in keys] == [0, 0, 0, 0, JSON, JSON]
    assert "code" not in first


def test_unsure_records(make_service, predictor, log_lines):
    """What is below the abstention threshold counts as unsure, not as an error."""
    config = ServeConfig(serving_abstain_below=1.0)
    client = create_app(make_service(predictor, serving_abstain_below=1.0), config).test_client()
    _send(client, ["apple", "river", ""])
    (entry,) = log_lines()
    assert (entry["records"], entry["errors"], entry["unsure"]) == (3, 1, 2)


def test_stages_have_no_gap(observed, log_lines):
    """They add up to the whole time of the request."""
    _send(observed, ["apple"])
    (entry,) = log_lines()
    assert set(entry["stages"]) == ANSWERED
    assert sum(entry["stages"].values()) == pytest.approx(entry["milliseconds"], abs=0.01 * len(ANSWERED))
    assert entry["stages"]["classify"] > 0


@pytest.mark.parametrize(
    ("body", "content_type", "code", "stages", "further"),
    [
        ("{", JSON, "bad_json", {"head", "body", "decode", "write"}, {"type_in"}),
        ("apple", "image/png", "unsupported_media_type", {"head", "body", "write"}, set()),
        ('"\u200b"', JSON, "bad_record", ANSWERED - {"encode"}, {"type_in", "records", "errors"}),
    ],
)
def test_a_refusal(observed, log_lines, body, content_type, code, stages, further):
    """It has its code, and the stages up to the one that refused."""
    assert _send(observed, body, content_type).json["code"] == code
    (entry,) = log_lines()
    assert entry["code"] == code
    assert set(entry["stages"]) == stages
    assert set(entry) - {"truncated", "unsure"} == ALWAYS | {"code", "stages"} | further


def test_before_the_model_is_ready(log_lines):
    """A refusal by the server's state is told apart from one of the body, which is not read."""
    service = ModelService(list, lambda _error: None, ServeConfig(), Metrics())
    _send(create_app(service, ServeConfig()).test_client(), ["apple"])
    (entry,) = log_lines()
    assert (entry["status"], entry["code"], set(entry["stages"])) == (
        503,
        "not_ready",
        {"head", "body", "write"},
    )


@pytest.mark.parametrize(
    "body",
    [
        f"text,{CANARY}\napple,1\nriver,2",
        f"{CANARY};text\n{CANARY};apple",
        f'Alpha,"{CANARY}"\nBeta,"river"',
        f"{CANARY}\nriver",
        f"{CANARY},{CANARY}\n",
    ],
)
def test_how_csv_was_understood(observed, log_lines, body):
    """It is in the line of a request that was answered, without a word of the header or of the rows."""
    response = _send(observed, body, CSV)
    (entry,) = log_lines()
    assert ("csv" in entry) == (response.status_code == 200)
    assert CANARY not in json.dumps(entry).lower()


def test_forms_of_csv_are_told_apart(observed, log_lines):
    """A table and lone texts are understood differently, and the line says so; other bodies have no such field."""
    _send(observed, "label,text\nAlpha,apple", CSV)
    _send(observed, "apple\nriver", CSV)
    _send(observed, ["apple"])
    table, texts, other = log_lines()
    assert table["csv"] != texts["csv"]
    assert texts["csv"] == "one text per row"
    assert "csv" not in other


def test_other_paths_have_no_stages(observed, log_lines):
    """Their lines have only what every line has."""
    observed.get("/execution-parameters", buffered=True)
    assert set(log_lines()[0]) == ALWAYS


def test_the_method_of_a_path_that_is_not_served(observed, log_lines):
    """A method that HTTP knows is told; any other, as the path, may hold anything."""
    observed.get(f"/{CANARY}", buffered=True)
    observed.open("/ping", method=CANARY, buffered=True)
    observed.open(f"/{CANARY}", method=CANARY, buffered=True)
    assert [(line["method"], line["path"]) for line in log_lines()[-2:]] == [("GET", "-"), ("-", "-")]


@pytest.mark.parametrize("length", [1, 128])
def test_lines_are_written_undivided(observed, monkeypatch, length):
    """No write is longer than a pipe takes at once, however long the ids of requests; batches are as long as that."""
    writes: list[str] = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", writes.append)
    monkeypatch.setattr(access_log, "_writer", None)
    access_log.configure(stream)
    headers = {
        "X-Amzn-SageMaker-Inference-Id": '"' * min(length, 64),
        "X-Amzn-SageMaker-Request-Id": "r" * length,
    }
    for _ in range(30):
        observed.post("/invocations", json=["apple"], headers=headers, buffered=True)
    access_log.flush()
    lines = "".join(writes).splitlines(keepends=True)
    assert [json.loads(line)["request_id"] for line in lines] == ["r" * length] * 30
    assert all(text.endswith("\n") and len(text.encode()) <= select.PIPE_BUF for text in writes)
    assert all(len(text) + max(map(len, lines)) > select.PIPE_BUF for text in writes[:-1])
