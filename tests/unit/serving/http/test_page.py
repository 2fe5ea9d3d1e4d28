"""GET /model: what the page shows of the model, as JSON."""

import dataclasses
from pathlib import Path
from typing import Any

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.predictor import Predictor
from bert_classifier.serving.model.service import ModelService

CALIBRATED = {"texts": 70, "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95}


def test_it_waits_for_the_model():
    """503 until the model is there, as for pings, with what to do; no method but GET."""
    service = ModelService(list, lambda _: None, ServeConfig(), Metrics())  # not started
    client = create_app(service, ServeConfig()).test_client()
    assert client.get("/").status_code == 200
    answer = client.get("/model")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "not_ready")
    assert answer.headers["Retry-After"]
    assert client.post("/model").status_code == 405


def test_it_tells_what_is_known(make_service: Any, artifact_dir: Path):
    """What training.json says, with the classes in the model's order; nothing where it says nothing."""
    artifact = load_artifact(artifact_dir)
    info = {
        **artifact.info,
        "metrics": {"test": CALIBRATED},
        "page_examples": ["</script>"],
        "lives": [{"job_name": "tickets", "began": "2026-11-28T22:10:11+00:00"}],
    }
    for known, expected in (
        (info, ["tickets", "2026-11-28T22:10:11+00:00", {"test": CALIBRATED}, ["</script>"]]),
        (artifact.info, [None, None, {}, []]),
    ):
        predictor = Predictor(dataclasses.replace(artifact, info=known))
        answer = create_app(make_service(predictor), ServeConfig()).test_client().get("/model")
        assert answer.status_code == 200
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert [
            answer.get_json()[name] for name in ("job_name", "trained", "accuracy", "examples")
        ] == expected
        assert answer.get_json()["labels"] == ["Alpha", "Beta", "Gamma"]


def test_the_threshold_is_the_one_in_force(make_service: Any, artifact_dir: Path):
    """The endpoint's own setting replaces the artifact's."""
    artifact = dataclasses.replace(load_artifact(artifact_dir), abstain_below=0.6)
    for settings, threshold in (
        ({}, 0.6),
        ({"serving_abstain_below": 0.0}, 0),
        ({"serving_abstain_below": 0.9}, 0.9),
    ):
        service = make_service(Predictor(artifact), **settings)
        answer = create_app(service, ServeConfig()).test_client().get("/model")
        assert answer.get_json()["abstain_below"] == threshold
