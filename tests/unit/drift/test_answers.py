"""Answers are read back from every form, and what is no answer of the model is said."""

import io
import json

import numpy as np
import pytest

from bert_classifier.drift.answer import REFUSED, Answer
from bert_classifier.drift.answers import AnswerReader
from bert_classifier.drift.capture import UnreadableError

READER = AnswerReader(["ham", "spam", "eggs"])
LINES = "application/jsonlines"


def npy(rows: list[list[float]]) -> bytes:
    """Return the file of an array."""
    file = io.BytesIO()
    np.save(file, np.array(rows, dtype=np.float64).reshape(len(rows), -1))
    return file.getvalue()


HAM, SPAM = Answer("ham", 0.75), Answer("spam", 0.5)


@pytest.mark.parametrize(
    ("media_type", "body", "records", "expected"),
    [
        ("application/json", '[{"label": "ham", "score": 0.75}, {"label": "spam", "score": 0.5}]', 2, [HAM, SPAM]),
        ("application/json", '[{"label": "ham", "score": 0.75}, {"label": "spam", "score": 0.2}]', 1, [HAM]),
        ("application/json", '{"label": "ham", "score": 0.75}', 1, [HAM]),
        (
            "application/json",
            '[{"label":"spam","score":0.2},{"label":"ham","score":0.75},{"label":"eggs","score":0.05}]',
            None, [HAM],
        ),
        ("application/json", '[[{"label": "ham", "score": 0.75}], {"error": "no", "code": "x"}]', 2, [HAM, REFUSED]),
        ("application/json", '{"error": "no", "code": "bad_json"}', None, [REFUSED]),
        ("application/json", '[{"label": null, "score": 0.4}]', 1, [Answer(None, 0.4, is_unsure=True)]),
        (
            "application/json",
            '[[{"label":"ham","score":0.4,"unsure":true},{"label":"eggs","score":0.3,"unsure":true}]]',
            1, [Answer(None, 0.4, is_unsure=True)],
        ),
        (
            "application/json", '[{"label": "ham", "score": 0.75, "truncated": true}]', 1,
            [Answer("ham", 0.75, is_truncated=True)],
        ),
        (LINES, '{"label": "ham", "score": 0.75}\n{"label": "spam", "score": 0.5}\n', 2, [HAM, SPAM]),
        (LINES, '{"predicted_label": "ham", "probability": 0.75, "labels": ["ham", "spam", "eggs"]}', 1, [HAM]),
        (LINES, '{"probabilities": [0.75, 0.2, 0.05]}', 1, [HAM]),
        ("text/csv", "ham,0.75,\nspam,0.5,\n,,the line is empty", 3, [HAM, SPAM, REFUSED]),
        ("text/csv", "label,score,error\nham,0.75,\n,0.4,", 2, [HAM, Answer(None, 0.4, is_unsure=True)]),
        ("text/csv", "ham,0.75,spam,0.2,\nspam,0.5,ham,0.4,", 2, [HAM, SPAM]),
        ("text/csv", "label_1,score_1,label_2,score_2,error\nham,0.75,spam,0.2,", 1, [HAM]),
        ("text/csv", "spam,a text,ham,0.75,\nham,other text,spam,0.5,", 2, [HAM, SPAM]),
        ("text/csv", "a text,ham,0.75\nother text,spam,0.5", 2, [HAM, SPAM]),
        ("text/csv", "0.75,0.2,0.05\n0.3,0.5,0.2", 2, [HAM, SPAM]),
        ("application/x-npy", npy([[0.75, 0.2, 0.05], [np.nan] * 3]), 2, [HAM, REFUSED]),
    ],
)  # fmt: skip
def test_every_form_is_read_back(media_type, body, records, expected):
    """Best class and score, refusals, abstentions, cut texts; with the request's records known or not."""
    sent = body if isinstance(body, bytes) else body.encode()
    assert READER.read(media_type, sent, records) == expected


@pytest.mark.parametrize(
    ("media_type", "body", "reason"),
    [
        ("application/json", b"[", "not valid JSON"),
        ("application/json", b"[1, 2]", "neither a class nor a score"),
        ("application/json", b'[{"label": "cheese", "score": 0.5}]', "does not have"),
        ("application/json", b"\xff", "not UTF-8"),
        ("text/csv", b"a text,another\n", "no class and score"),
        ("application/x-npy", b"no", "numpy.save"),
        ("application/x-npy", npy([[0.5, 0.5]]), "no array of the classes"),
        ("text/html", b"<p>Bad gateway", "no form in which"),
    ],
)
def test_what_is_no_answer_is_said(media_type, body, reason):
    """With a reason that holds nothing of the answer."""
    with pytest.raises(UnreadableError, match=reason):
        READER.read(media_type, body, None)


SEVERAL = AnswerReader(["a", "b|c", "d"], thresholds=[0.5, 0.3, float("inf")])
BOTH, NONE = Answer(labels=("b|c", "a")), Answer(is_unsure=True, labels=())


@pytest.mark.parametrize(
    ("media_type", "body", "records", "expected"),
    [
        ("application/json", '[{"labels": [{"label": "b|c", "score": 0.8}, {"label": "a", "score": 0.6}]}, '
         '{"labels": []}, {"error": "no", "code": "x"}]', 3, [BOTH, NONE, REFUSED]),
        ("application/json", '{"labels": []}', 1, [NONE]),
        (LINES, '{"labels": [], "truncated": true}', 1, [Answer(is_unsure=True, is_truncated=True, labels=())]),
        ("text/csv", '"""b|c""|a",0.8|0.6,\n,,\n,,no', 3, [BOTH, NONE, REFUSED]),
        ("text/csv", 'labels,scores,error\n"""b|c""|a",0.8|0.6,\n,,', 2, [BOTH, NONE]),
        ("application/json", '[[{"label": "d", "score": 0.9}, {"label": "b|c", "score": 0.4}]]', 1,
         [Answer(None, 0.9, labels=("b|c",))]),
        ("application/json", '[{"probabilities": [0.1, 0.2, 0.9]}]', 1,
         [Answer(None, 0.9, is_unsure=True, labels=())]),
        ("application/json", '[{"predicted_label": ["b|c", "a"], "probability": [0.8, 0.6]}]', 1, [BOTH]),
        ("application/x-npy", npy([[0.7, 0.1, 0.99]]), 1, [Answer(None, 0.99, labels=("a",))]),
    ],
)  # fmt: skip
def test_answers_with_several_labels_are_read(media_type, body, records, expected):
    """Sets of labels in each form; where all scores are there, those over the model's own thresholds."""
    raw = body if isinstance(body, bytes) else body.encode()
    assert SEVERAL.read(media_type, raw, records) == expected


def test_a_label_that_the_model_does_not_have_is_no_answer_of_its():
    """As for a single label."""
    with pytest.raises(UnreadableError, match="a class that the model does not have"):
        SEVERAL.read("application/json", b'{"labels": [{"label": "z", "score": 0.9}]}', 1)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([("a", 0.9)], Answer(None, 0.9, is_unsure=None)),
        ([("b|c", 0.7)], Answer(None, 0.7, is_unsure=None)),
        ([("b|c", 0.45)], Answer(None, 0.45, labels=("b|c",))),
        ([("a", 0.2)], Answer(None, 0.2, is_unsure=True, labels=())),
        ([("a", 0.9), ("d", 0.3)], Answer(None, 0.9, is_unsure=None)),
        ([("a", 0.9), ("d", 0.29)], Answer(None, 0.9, labels=("a",))),
        ([("a", 0.9), ("b|c", 0.8)], Answer(None, 0.9, labels=("a", "b|c"))),
    ],
)
def test_a_list_that_may_lack_labels_tells_only_the_best_score(listed, expected):
    """With top_k, classes beyond the last one may reach their thresholds unless its score is below all of these."""
    body = json.dumps([[{"label": label, "score": score} for label, score in listed]])
    assert SEVERAL.read("application/json", body.encode(), 1) == [expected]


def test_labels_in_a_list_are_no_answer_of_a_model_with_one_label():
    """Such a model never answers with a list of labels."""
    with pytest.raises(UnreadableError, match="neither a class nor a score"):
        READER.read("application/json", b'{"labels": []}', 1)
    assert AnswerReader(["a"], None).read("application/json", b'{"labels": []}', 1) == [NONE], (
        "it may have several"
    )
