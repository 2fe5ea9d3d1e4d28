"""An app as in the server, whose model, requests and metrics are one's own, and its access log."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import access_log
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.predictor import Predictor
from bert_classifier.serving.model.service import ModelService


@pytest.fixture
def observed(predictor: Predictor) -> Iterator[FlaskClient]:
    """Return a client of an app whose model shares its metrics, as in the server."""
    metrics, failures = Metrics(), list[Exception]()
    own = Predictor(predictor._artifact, 128, metrics)
    service = ModelService(lambda: [own], failures.append, ServeConfig(), metrics)
    service.start()
    while not service.is_ready:
        assert not failures
    yield create_app(service, ServeConfig(), metrics).test_client()
    assert service.close(10)


@pytest.fixture
def log_text(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return a function that returns the access log so far."""
    stream = io.StringIO()

    def text() -> str:
        access_log.flush()
        return stream.getvalue()

    monkeypatch.setattr(access_log, "_writer", None)
    access_log.configure(stream)
    return text


@pytest.fixture
def log_lines(log_text: Callable[[], str]) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that returns the entries of the access log so far."""
    return lambda: [json.loads(line) for line in log_text().splitlines()]
