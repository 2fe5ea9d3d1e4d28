"""Answers of models whose texts may have several labels, in every form, and what a request may ask of them."""

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY, joined, parted
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.task import Task
from bert_classifier.serving.http import answer_bodies
from bert_classifier.serving.http.accept import of_accept
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted, of_parameters
from bert_classifier.serving.http.query import Query
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.facts import ModelFacts
from bert_classifier.serving.model.predictor import predictions_of
from bert_classifier.serving.model.service import ModelService
from support.patience import PATIENCE_S

LINES = JSON_LINES[0]
LABELS = ("World", "Sports", "a|b", "Never")
THRESHOLDS = (0.5, 0.3, 0.8, math.inf)
ANSWERS = [
    *predictions_of(np.array([[0.6, 0.4, 0.8, 0.9], [0.2, 0.29, 0.1, 0.999]]), [True, False]),
    RecordError("the text is empty"),
]
MODEL = ModelFacts(64, Task.MULTI)
ALL_FIELDS = ("predicted_label", "probability", "probabilities", "labels", "error")


def encoded(media_type, wanted=None, answers=ANSWERS, *, has_header=False, **query):
    """Return a body in a form."""
    form = ResponseFormat(LABELS, wanted or Wanted(), has_header=has_header, thresholds=THRESHOLDS)
    return encode(answers, Query([], **query), form, media_type)


def test_a_text_has_the_labels_over_their_thresholds():
    """Most likely first, at the threshold too; an empty list without any; Never is not answered at any score."""
    first, second, wrong = json.loads(encoded(JSON))
    labels = [
        {"label": "a|b", "score": 0.8},
        {"label": "World", "score": 0.6},
        {"label": "Sports", "score": 0.4},
    ]
    assert first == {"labels": labels, "truncated": True}
    assert second == {"labels": []}
    assert wrong == {"error": "the text is empty", "code": "bad_record"}
    assert [json.loads(line) for line in encoded(LINES).split("\n")] == [first, second, wrong]


@pytest.mark.parametrize(("nesting", "depth"), [("list", 1), ("string", 1), ("object", 0)])
def test_answers_are_nested_as_of_other_models(nesting, depth):
    """A lone string gets a list of one answer, a lone object the answer itself."""
    found = json.loads(encoded(JSON, answers=ANSWERS[1:2], nesting=nesting))
    assert found == ([{"labels": []}] if depth else {"labels": []})


def test_csv_joins_labels_and_scores():
    """One cell each, which is a row of CSV with bars of its own; the error is the last cell."""
    rows = list(csv.reader(encoded(CSV, has_header=True).split("\n")))
    assert rows == [
        ["labels", "scores", "error"],
        ['"a|b"|World|Sports', "0.8|0.6|0.4", ""],
        ["", "", ""],
        ["", "", "the text is empty"],
    ]
    assert parted(rows[1][0]) == ["a|b", "World", "Sports"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1)))
def test_joined_labels_come_apart_again(labels):
    """Whatever is in them."""
    assert parted(joined(labels)) == labels


def test_top_k_lists_classes_whatever_their_scores():
    """As transformers' pipeline with function_to_apply=sigmoid; in CSV as pairs of cells."""
    first, second, _ = json.loads(encoded(JSON, Wanted(2)))
    assert first == [
        {"label": "Never", "score": 0.9, "truncated": True},
        {"label": "a|b", "score": 0.8, "truncated": True},
    ]
    assert [entry["label"] for entry in second] == ["Never", "Sports"]
    assert [e["label"] for e in json.loads(encoded(JSON, Wanted(in_model_order=True)))[1]] == list(LABELS)
    assert encoded(CSV, Wanted(1)).split("\n")[1] == "Never,0.999,"


def test_a_request_may_give_its_own_threshold():
    """For all labels alike, also those that the model's own thresholds never answer."""
    first, second, _ = json.loads(encoded(JSON, Wanted(threshold=0.8)))
    assert [entry["label"] for entry in first["labels"]] == ["Never", "a|b"]
    assert [entry["label"] for entry in second["labels"]] == ["Never"]
    own = json.loads(f"[{encoded(LINES, own={1: Wanted(threshold=0.2)}).replace(chr(10), ',')}]")
    assert [len(answer.get("labels", ())) for answer in own] == [3, 3, 0]


def test_fields_hold_lists():
    """predicted_label and probability are lists of the same length; in CSV they are joined."""
    first = json.loads(encoded(JSON, Wanted(fields=ALL_FIELDS)))[0]
    assert first == {
        "predicted_label": ["a|b", "World", "Sports"],
        "probability": [0.8, 0.6, 0.4],
        "probabilities": [0.6, 0.4, 0.8, 0.9],
        "labels": list(LABELS),
        "error": None,
        "truncated": True,
    }
    row, *_ = csv.reader(encoded(CSV, Wanted(fields=ALL_FIELDS[:3])).split("\n"))
    assert row == ['"a|b"|World|Sports', "0.8|0.6|0.4", "0.6", "0.4", "0.8", "0.9"]


def test_an_array_holds_all_probabilities():
    """Rows need not sum to 1; a threshold would choose among them, and is refused."""
    array = np.load(io.BytesIO(encoded(NPY)))
    assert np.array_equal(array[0], [0.6, 0.4, 0.8, 0.9])
    assert np.isnan(array[2]).all()
    with pytest.raises(RequestError, match="no selection"):
        encoded(NPY, own={0: Wanted(threshold=0.5)})


def test_labels_over_the_thresholds_count_towards_the_limit(monkeypatch):
    """Not all classes of each text, of which most have few labels."""
    monkeypatch.setattr(answer_bodies, "_MOST_NUMBERS", 6)
    encoded(JSON)
    monkeypatch.setattr(answer_bodies, "_MOST_NUMBERS", 5)
    with pytest.raises(RequestError, match="more than 5 scores"):
        encoded(JSON)


@pytest.mark.parametrize("media_type", [JSON, CSV])
def test_labels_are_found_once_per_record(monkeypatch, media_type):
    """Whatever looks at them: the limit, and the body."""
    seen = []
    found = ResponseFormat.answered
    monkeypatch.setattr(
        ResponseFormat, "answered", lambda self, *given: seen.append(given) or found(self, *given)
    )
    encoded(media_type)
    assert len(seen) == len({id(prediction) for prediction, _ in seen}) == 2


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"threshold": 0.3}, Wanted(threshold=0.3)),
        ({"threshold": 1}, Wanted(threshold=1.0)),
        ({"threshold": None}, None),
        ({"function_to_apply": "sigmoid", "top_k": None}, Wanted("all")),
        ({"output": "labels", "threshold": 0.2}, Wanted(fields=("labels",), threshold=0.2)),
    ],
)
def test_what_is_asked_for(parameters, wanted):
    """In transformers' words, and a threshold."""
    assert of_parameters(parameters, MODEL) == wanted


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"threshold": 1.5}, '"threshold" is not a number from 0 to 1.'),
        ({"threshold": True}, '"threshold" is not a number from 0 to 1.'),
        ({"threshold": float("nan")}, '"threshold" is not a number from 0 to 1.'),
        ({"threshold": 0.5, "top_k": 3}, '"threshold" chooses labels'),
        ({"threshold": 0.5, "return_all_scores": True}, '"threshold" chooses labels'),
        (
            {"function_to_apply": "softmax"},
            "is 'softmax', but scores are the sigmoid of each class, since a text may have several labels. Send"
            " sigmoid, or leave it out.",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(parameters, message):
    """By its name, with what to do."""
    with pytest.raises(RequestError) as caught:
        of_parameters(parameters, MODEL)
    assert message in str(caught.value)


def test_a_threshold_is_for_models_with_several_labels():
    """In the body, and in the Accept header."""
    with pytest.raises(RequestError, match='"threshold" is for models that give a text several labels'):
        of_parameters({"threshold": 0.5}, ModelFacts(64))


def test_the_accept_header_may_give_it():
    """As it gives top_k."""
    assert of_accept("text/csv; threshold=.25", JSON, ServeConfig()).wanted == Wanted(threshold=0.25)
    for wrong in ("text/csv; threshold=high", "text/csv; threshold=2", "text/csv; threshold=0.5; top_k=1"):
        with pytest.raises(RequestError):
            of_accept(wrong, JSON, ServeConfig())


def answers_to(client: Any, body: Any, **more: Any) -> Any:
    """Return the answer to a JSON body."""
    return client.post("/invocations", json=body, buffered=True, **more).json


def test_the_app_answers_by_the_models_thresholds(make_service, multi_label_predictor):
    """What all scores say, and the artifact's thresholds; Gamma has none, so it is never answered."""
    client = create_app(make_service(multi_label_predictor), ServeConfig()).test_client()
    texts = ["apple cherry", "river ocean, harbour", "a wheel", "violin"]
    body = {"inputs": texts, "parameters": {"top_k": None, "function_to_apply": "sigmoid"}}
    scores = answers_to(client, body)
    limits = {"Alpha": 0.5, "Beta": 0.45, "Gamma": 2.0, "Delta": 0.55, "Epsilon": 0.5}
    wanted = [
        {"labels": [entry for entry in entries if entry["score"] >= limits[entry["label"]]]}
        for entries in scores
    ]
    assert answers_to(client, texts) == wanted
    assert 0 < sum(len(answer["labels"]) for answer in wanted) < 16
    model: Any = client.get("/model").json
    assert (model["task"], model["thresholds"]) == ("multi", [0.5, 0.45, None, 0.55, 0.5])
    assert (
        client.post("/invocations", json=texts, headers={"Accept": "text/csv; threshold=0"}).text.count("|")
        == 32
    )


def test_the_single_label_model_says_so(make_service, predictor):
    """GET /model names the task; a threshold in the Accept header is refused before anything is read."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()
    model: Any = client.get("/model").json
    assert (model["task"], model["thresholds"], model["is_paired"]) == ("single", None, False)
    answer = client.post("/invocations", json=["a"], headers={"Accept": "application/json; threshold=0.5"})
    assert (answer.status_code, (answer.json or {})["code"]) == (400, "bad_parameters")


def test_labels_are_counted_and_logged(make_service, multi_label_predictor, log_lines):
    """By the model's thresholds, whatever a request asks for; how many texts got none."""
    client = create_app(make_service(multi_label_predictor), ServeConfig()).test_client()
    texts = ["apple cherry", "river ocean, harbour", "a wheel", "violin"]
    counts = [len(answer["labels"]) for answer in answers_to(client, texts)]
    client.post("/invocations", json={"inputs": texts, "parameters": {"top_k": 1}}, buffered=True)
    for line in log_lines():
        assert (line["labels"], line["unlabelled"]) == (sum(counts), counts.count(0))


def test_labels_per_text_are_a_metric(make_service, multi_label_predictor):
    """A histogram, whose first bucket is the texts without a label; it is there from the first of them."""
    metrics = Metrics()
    client = create_app(make_service(multi_label_predictor), ServeConfig(), metrics).test_client()
    assert "bert_labels" not in client.get("/metrics").text
    answers = answers_to(client, ["apple", "violin"])
    text = client.get("/metrics").text
    assert "bert_labels_count 2.0" in text
    assert f"bert_labels_sum {sum(len(a['labels']) for a in answers):.1f}" in text
    assert f'bert_labels_bucket{{le="0.0"}} {sum(1 for a in answers if not a["labels"]):.1f}' in text


def test_abstention_has_no_meaning(multi_label_predictor):
    """SERVING_ABSTAIN_BELOW stops the start of such a model, with what to do instead."""
    failures: list[Exception] = []
    config = ServeConfig(serving_abstain_below=0.9)
    service = ModelService(lambda: [multi_label_predictor], failures.append, config, Metrics())
    service.start()
    service._loader.join(PATIENCE_S)
    assert str(failures[0]) == (
        "SERVING_ABSTAIN_BELOW=0.9 is for models that give one label; this one gives each text the labels over their"
        ' thresholds. Remove the setting; a request may give its own "threshold".'
    )
