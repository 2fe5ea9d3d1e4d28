"""Answers with several labels per text: the server's own encoder writes every form, and each is read back."""

import itertools
import math

import numpy as np
import pytest

from bert_classifier.drift.answer import REFUSED, Answer
from bert_classifier.drift.answers import AnswerReader
from bert_classifier.drift.capture import UnreadableError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY
from bert_classifier.job.serve_config import ANSWER_FIELDS
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode, labels_over
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from bert_classifier.serving.model.predictor import Prediction, predictions_of

LABELS = ["ham", "spam|eggs", "never"]
THRESHOLDS = [0.5, 0.3, math.inf]
FIELDS = [
    fields
    for number in range(1, len(ANSWER_FIELDS) + 1)
    for fields in itertools.permutations(ANSWER_FIELDS, number)
    if {"predicted_label", "probabilities"} & set(fields)
]
WANTED = [Wanted(), Wanted("all"), Wanted(in_model_order=True), *(Wanted(fields=each) for each in FIELDS)]
REFUSAL = RecordError("the text is empty", "bad_record")


def predictions() -> list[Prediction]:
    """Return predictions with no label, one and two."""
    scores = np.random.default_rng(5).uniform(0.02, 0.98, (12, 3))
    found = predictions_of(scores, [False] * len(scores))
    assert {len(labels_over(each, THRESHOLDS, min(THRESHOLDS))) for each in found} == {0, 1, 2}
    return found


def read_back(
    media_type: str, wanted: Wanted, *, has_header: bool = False, refused: bool = True
) -> list[Answer]:
    """Encode predictions and perhaps a refused record, and read them back."""
    answers: list[Prediction | RecordError] = [*predictions(), *([REFUSAL] if refused else [])]
    form = ResponseFormat(LABELS, wanted, has_header=has_header, thresholds=THRESHOLDS)
    body = encode(answers, Query([""] * len(answers)), form, media_type)
    sent = body if isinstance(body, bytes) else body.encode()
    return AnswerReader(LABELS, thresholds=THRESHOLDS).read(media_type, sent, len(answers))


@pytest.mark.parametrize("media_type", [JSON, JSON_LINES[0], CSV, "text/csv with header"])
def test_the_labels_of_every_answer_are_read_back(media_type):
    """A refused record too, where its row tells it from a text without any label."""
    expected = [{LABELS[i] for i in labels_over(each, THRESHOLDS, min(THRESHOLDS))} for each in predictions()]
    for wanted in WANTED:
        fields = set(wanted.fields)
        tells_refusal = media_type[: len(CSV)] != CSV or not fields or fields & {"probabilities", "error"}
        found = read_back(
            media_type.split()[0], wanted, has_header=media_type != CSV, refused=bool(tells_refusal)
        )
        assert found[len(expected) :] == ([REFUSED] if tells_refusal else []), wanted
        found = found[: len(expected)]
        assert [set(answer.labels or ()) for answer in found] == expected, wanted
        assert [answer.is_unsure for answer in found] == [not labels for labels in expected], wanted


@pytest.mark.parametrize("has_header", [False, True])
def test_the_most_likely_class_is_a_label_where_its_score_reaches_its_threshold(has_header):
    """Lists of one class, whose rows have as many cells as those of joined labels; others may be labels too."""
    found = read_back(CSV, Wanted(1), has_header=has_header, refused=False)
    expected: list[tuple[str, ...] | None] = []
    for each in predictions():
        best, *others = each.order
        may_lack = any(each.scores[best] >= THRESHOLDS[other] for other in others)
        is_label = each.scores[best] >= THRESHOLDS[best]
        expected.append(None if may_lack else (LABELS[best],) if is_label else ())
    assert None in expected
    assert [answer.labels for answer in found] == expected


def test_arrays_are_read_back():
    """NumPy's arrays have all scores."""
    expected = [{LABELS[i] for i in labels_over(each, THRESHOLDS, min(THRESHOLDS))} for each in predictions()]
    assert [set(a.labels or ()) for a in read_back(NPY, Wanted(), refused=False)] == expected


@pytest.mark.parametrize("has_header", [False, True])
def test_scores_without_their_labels_tell_nothing(has_header):
    """Which is said, rather than read as texts without labels."""
    with pytest.raises(UnreadableError, match="no class and score"):
        read_back(CSV, Wanted(fields=("probability", "error")), has_header=has_header)
