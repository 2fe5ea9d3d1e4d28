"""Predictions to bodies: every form and every shape, errors in their place, a line for a line."""

import csv
import io
import json

import numpy as np
import pytest

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from bert_classifier.serving.model.predictor import Prediction, predictions_of

JSON, LINES, CSV, NPY = "application/json", "application/jsonlines", "text/csv", "application/x-npy"
LABELS = ("World", 'Sci, "Tech"', "Süd")
FIELDS = Wanted(fields=("predicted_label", "probability", "probabilities", "labels"))


def _prediction(*scores: float, truncated: bool = False) -> Prediction:
    return predictions_of(np.array([scores]), [truncated])[0]


ANSWERS: list[Prediction | RecordError] = [
    _prediction(0.1, 0.7, 0.2),
    RecordError("the text is empty"),
    _prediction(0.25, 0.25, 0.5, truncated=True),
]


def encoded(answers, media_type, top_k=None, **query):
    """Return the body of an answer."""
    wanted = top_k if isinstance(top_k, Wanted) else Wanted(top_k)
    return encode(answers, Query([], **query), ResponseFormat(LABELS, wanted), media_type)


def test_json_answers():
    """One object a record in order, errors in their place, and `truncated` only where it holds."""
    assert json.loads(encoded(ANSWERS, JSON)) == [
        {"label": 'Sci, "Tech"', "score": 0.7},
        {"error": "the text is empty", "code": "bad_record"},
        {"label": "Süd", "score": 0.5, "truncated": True},
    ]


def test_json_answers_with_several_classes():
    """With top_k each record gets a list, most likely first, equal scores in the labels' order."""
    first, error, last = json.loads(encoded(ANSWERS, JSON, top_k=9))
    assert [entry["label"] for entry in first] == ['Sci, "Tech"', "Süd", "World"]
    assert error == {"error": "the text is empty", "code": "bad_record"}
    assert [entry["label"] for entry in last] == ["Süd", "World", 'Sci, "Tech"']
    assert [len(entries) for entries in json.loads(encoded(ANSWERS[:1], JSON, top_k=1))] == [1]


@pytest.mark.parametrize("top_k", [None, 2])
def test_json_lines_answers(top_k):
    """JSON Lines hold what the JSON list holds, one element a line, without a line end at the end."""
    lines = encoded(ANSWERS, LINES, top_k).split("\n")
    assert [json.loads(line) for line in lines] == json.loads(encoded(ANSWERS, JSON, top_k))


def rows_of(body):
    """Return the cells of a body of CSV."""
    return list(csv.reader(io.StringIO(body)))


def test_csv_answers():
    """CSV holds label, score and the error of a wrong record, quoted where needed, and no last line end."""
    assert encoded(ANSWERS, CSV) == '"Sci, ""Tech""",0.7,\n,,the text is empty\nSüd,0.5,'
    assert encoded(ANSWERS[:1], CSV, top_k=2) == '"Sci, ""Tech""",0.7,Süd,0.2,'


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["label", "score", "error"]),
        (Wanted(2), ["label_1", "score_1", "label_2", "score_2", "error"]),
        (
            Wanted("all"),
            [f"{name}_{number}" for number in (1, 2, 3) for name in ("label", "score")] + ["error"],
        ),
        (Wanted(9), [f"{name}_{number}" for number in (1, 2, 3) for name in ("label", "score")] + ["error"]),
        (
            Wanted(fields=("predicted_label", "probabilities")),
            ["predicted_label", "probability_World", 'probability_Sci, "Tech"', "probability_Süd"],
        ),
        (
            Wanted(fields=("labels", "error", "probability")),
            ["label_1", "label_2", "label_3", "error", "probability"],
        ),
    ],
)
def test_every_row_of_csv_has_the_same_cells(wanted, names):
    """Whatever is asked for, a row has one cell per name, also that of an error; the header names them."""
    response_format = ResponseFormat(LABELS, wanted, has_header=True)
    header, *rows = rows_of(encode(ANSWERS, Query([]), response_format, CSV))
    assert header == names
    assert [len(row) for row in rows] == [len(header)] * 3
    assert list(filter(None, rows[1])) == ["the text is empty"] * ("error" in names)
    assert not any(name == "error" and row[at] for row in (rows[0], rows[2]) for at, name in enumerate(names))


def test_the_fields_of_sagemakers_own_containers():
    """AWS' names in the order asked for; probabilities in the model's order; flags and errors as everywhere."""
    first, error, last = json.loads(encoded(ANSWERS, JSON, FIELDS))
    assert list(first) == list(FIELDS.fields)
    assert first == {
        "predicted_label": LABELS[1], "probability": 0.7, "probabilities": [0.1, 0.7, 0.2], "labels": list(LABELS),
    }  # fmt: skip
    assert error == {"error": "the text is empty", "code": "bad_record"}
    assert last["truncated"] is True
    cells = rows_of(encoded(ANSWERS[:1], CSV, FIELDS))[0]
    assert cells == [LABELS[1], "0.7", "0.1", "0.7", "0.2", *LABELS]
    assert encoded(ANSWERS, CSV, Wanted(fields=("probabilities",))) == "0.1,0.7,0.2\n,,\n0.25,0.25,0.5"
    assert json.loads(encoded(ANSWERS[:1], JSON, Wanted(fields=("probability", "error"))))[0]["error"] is None


def test_all_classes_in_the_models_order():
    """What transformers called return_all_scores: no sorting."""
    first, *_ = json.loads(encoded(ANSWERS, JSON, Wanted(in_model_order=True)))
    assert [entry["label"] for entry in first] == list(LABELS)
    assert rows_of(encoded(ANSWERS[:1], CSV, Wanted(in_model_order=True)))[0][::2] == [*LABELS, ""]


@pytest.mark.parametrize(
    ("nesting", "wanted", "depth"),
    [
        ("list", Wanted(), 1),
        ("list", Wanted(1), 2),
        ("list", Wanted(in_model_order=True), 2),
        ("string", Wanted(), 1),
        ("string", Wanted(1), 1),
        ("string", Wanted("all"), 1),
        ("string", Wanted(in_model_order=True), 2),
        ("object", Wanted(), 0),
        ("object", Wanted(2), 1),
        ("object", Wanted(in_model_order=True), 1),
        ("object", FIELDS, 0),
        ("string", FIELDS, 1),
    ],
)
def test_a_text_that_came_alone_is_nested_as_in_transformers(nesting, wanted, depth):
    """As many lists around the first object as pipeline("text-classification") puts there."""
    value, lists = json.loads(encoded(ANSWERS[:1], JSON, wanted, nesting=nesting)), 0
    while isinstance(value, list):
        value, lists = value[0], lists + 1
    assert lists == depth


def test_a_request_goes_before_the_setting_and_a_record_before_its_request():
    """What is most specific counts; in CSV records cannot differ."""
    own = {1: Wanted(1), 2: FIELDS}
    first, second, third = encoded([ANSWERS[0]] * 3, LINES, own=own).split("\n")
    assert (json.loads(first)["label"], len(json.loads(second))) == (LABELS[1], 1)
    assert list(json.loads(third)) == list(FIELDS.fields)
    assert len(json.loads(encoded(ANSWERS[:1], JSON, top_k=3, wanted=Wanted(2)))[0]) == 2
    with pytest.raises(RequestError, match="different cells"):
        encoded([ANSWERS[0]] * 3, CSV, own=own)
    for same in ({0: FIELDS, 2: FIELDS}, {0: FIELDS, 1: FIELDS, 2: FIELDS}):  # the second is a wrong record
        assert encoded(ANSWERS, CSV, own=same) == encoded(ANSWERS, CSV, FIELDS)
    assert encoded(ANSWERS[:1], CSV, wanted=FIELDS) == encoded(ANSWERS[:1], CSV, FIELDS)


def test_numpy_answers():
    """One row of probabilities per record, in the model's order and in full; NaN for a wrong record."""
    scores = np.load(io.BytesIO(encoded(ANSWERS, NPY)), allow_pickle=False)
    assert (scores.dtype, scores.shape) == (np.float64, (3, 3))
    assert scores[[0, 2]].tolist() == [[0.1, 0.7, 0.2], [0.25, 0.25, 0.5]]
    assert np.isnan(scores[1]).all()
    assert np.load(io.BytesIO(encoded([], NPY))).shape == (0, 3)
    for wanted in (Wanted(2), FIELDS):
        with pytest.raises(RequestError, match="no selection"):
            encoded(ANSWERS, NPY, wanted=wanted)
    assert encoded(ANSWERS, NPY, wanted=Wanted("all")) == encoded(ANSWERS, NPY, FIELDS)


@pytest.mark.parametrize(("media_type", "expected"), [(JSON, "[]"), (LINES, ""), (CSV, "")])
def test_no_answers(media_type, expected):
    """No records are answered with nothing, in the form's own way."""
    assert encoded([], media_type) == expected


@pytest.mark.parametrize("media_type", [JSON, LINES, CSV, NPY])
@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_never_leaves(media_type, score):
    """NaN and infinity are an error in every form, even for a class that is not named."""
    with pytest.raises(ValueError, match="not finite"):
        encoded([_prediction(0.5, score, 0.5)], media_type)


def test_scores_are_short_and_small_ones_are_kept():
    """A score has six significant digits, so that a tiny probability does not become zero."""
    body = encoded([_prediction(1 / 3, 2 / 3, 1.23456789e-9)], JSON, top_k=3)
    assert [entry["score"] for entry in json.loads(body)[0]] == [0.666667, 0.333333, 1.23457e-09]


def test_an_answer_of_very_many_scores_is_refused():
    """Before it takes the memory; the same records with fewer classes are answered."""
    labels = [f"class {number}" for number in range(2000)]
    answers = [predictions_of(np.full((1, 2000), 1 / 2000), [False])[0]] * 5001
    for wanted in (Wanted("all"), Wanted(fields=("probabilities",))):
        for media_type in (JSON, LINES, CSV):
            with pytest.raises(RequestError, match="more than 10,000,000 scores") as caught:
                encode(answers, Query([]), ResponseFormat(labels, wanted), media_type)
            assert (caught.value.status, caught.value.code) == (413, "too_many_records")
    assert encode(answers, Query([]), ResponseFormat(labels, Wanted(2)), LINES)
