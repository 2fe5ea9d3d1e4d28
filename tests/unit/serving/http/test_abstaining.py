"""Answers without a label: where the model is not sure enough, by the artifact's threshold or the server's own."""

import dataclasses
import json

import numpy as np
import pytest

from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from bert_classifier.serving.model.predictor import Predictor, predictions_of

LINES = JSON_LINES[0]
LABELS = ("World", "Sports")
ANSWERS = predictions_of(np.array([[0.6, 0.4], [0.2, 0.8]]), [True, False])


def _encode(answers, abstain_below, media_type, top_k=None):
    return encode(answers, Query([]), ResponseFormat(LABELS, Wanted(top_k), abstain_below), media_type)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, '[{"label": null, "score": 0.6, "truncated": true}, {"label": "Sports", "score": 0.8}]'),
        (LINES, '{"label": null, "score": 0.6, "truncated": true}\n{"label": "Sports", "score": 0.8}'),
        (CSV, ",0.6,\nSports,0.8,"),
    ],
)
def test_an_unsure_text_has_a_score_and_no_label(media_type, body):
    """null, or an empty cell; its neighbour is sure, and named."""
    assert _encode(ANSWERS, 0.7, media_type) == body


def test_a_score_at_the_threshold_is_answered():
    """Only what is below it is not."""
    assert _encode(ANSWERS[1:], 0.8, CSV) == "Sports,0.8,"
    assert _encode(ANSWERS[1:], 0.8001, CSV) == ",0.8,"


def test_who_asks_for_several_classes_gets_them_marked():
    """With top_k the classes keep their names, for a person to choose from."""
    unsure, sure = json.loads(_encode(ANSWERS, 0.7, JSON, 2))
    assert unsure == [
        {"label": "World", "score": 0.6, "truncated": True, "unsure": True},
        {"label": "Sports", "score": 0.4, "truncated": True, "unsure": True},
    ]
    assert sure == [{"label": "Sports", "score": 0.8}, {"label": "World", "score": 0.2}]
    assert _encode(ANSWERS[:1], 0.7, CSV, 2) == "World,0.6,Sports,0.4,"


@pytest.mark.parametrize(
    ("of_artifact", "of_server", "is_silent"),
    [(0.0, None, False), (0.999, None, True), (0.999, 0.0, False), (0.0, 0.999, True)],
)
def test_the_servers_setting_goes_before_the_artifacts(
    make_service, predictor, of_artifact, of_server, is_silent
):
    """SERVING_ABSTAIN_BELOW replaces what training has set; 0 turns it off; metrics count what was left open."""
    artifact = dataclasses.replace(predictor._artifact, abstain_below=of_artifact)
    service = make_service(Predictor(artifact, 128), serving_abstain_below=of_server)
    client = create_app(service, ServeConfig()).test_client()
    answer = json.loads(client.post("/invocations", json=["apple"], buffered=True).data)[0]
    assert (answer["label"] is None) == is_silent
    assert 0 < answer["score"] < 0.999
    outcome = "abstained" if is_silent else "classified"
    assert f'bert_records_total{{outcome="{outcome}"}} 1.0' in client.get("/metrics").text


def test_the_setting_comes_from_the_environment():
    """A number from 0 to 1; unset by default."""
    assert ServeConfig.from_environ({}).serving_abstain_below is None
    assert ServeConfig.from_environ({"SERVING_ABSTAIN_BELOW": "0.75"}).serving_abstain_below == 0.75
