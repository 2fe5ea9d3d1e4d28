"""Whatever the server writes is read back: its own encoder writes every form, with and without abstentions."""

import itertools

import numpy as np
import pytest

from bert_classifier.drift.answer import REFUSED, Answer
from bert_classifier.drift.answers import AnswerReader
from bert_classifier.drift.capture import UnreadableError
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES, NPY
from bert_classifier.job.serve_config import ANSWER_FIELDS
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from bert_classifier.serving.model.predictor import Prediction

LABELS = ["ham", "spam", "eggs"]
BOUND = 0.6
TELLING = {"predicted_label", "probability", "probabilities"}
FIELDS = [
    fields
    for number in range(1, len(ANSWER_FIELDS) + 1)
    for fields in itertools.permutations(ANSWER_FIELDS, number)
    if TELLING & set(fields)
]
WANTED = [
    *(Wanted(top_k) for top_k in (None, 1, 2, "all")),
    Wanted(in_model_order=True),
    *(Wanted(fields=fields) for fields in FIELDS),
]


def predictions() -> list[Prediction]:
    """Return predictions of which some are unsure."""
    logits = np.random.default_rng(5).normal(0, 1.5, (9, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = [Prediction(row.tolist(), np.argsort(-row).tolist(), truncated=False) for row in shares]
    assert {is_unsure(each, BOUND) for each in found} == {True, False}
    return found


def is_unsure(prediction: Prediction, bound: float) -> bool:
    """Return whether a prediction is below the bound."""
    return max(prediction.scores) < bound


def expected(prediction: Prediction, wanted: Wanted, bound: float) -> tuple[str | None, float | None, bool]:
    """Return label, score and abstention, as far as the answer can tell them."""
    unsure, fields = is_unsure(prediction, bound), set(wanted.fields)
    names_it = not fields or fields & {"predicted_label", "probabilities"}
    has_score = not fields or fields & {"probability", "probabilities"}
    label = LABELS[prediction.order[0]] if names_it and not unsure else None
    return label, max(prediction.scores) if has_score else None, unsure


def check(media_type: str, wanted: Wanted, bound: float, *, has_header: bool = False) -> None:
    """Encode predictions and a refused record, read them back, and compare."""
    given = predictions()
    refused = RecordError("the text is empty", "bad_record")
    tells_refusal = media_type != CSV or set(wanted.fields) != {"predicted_label"}
    answers: list[Prediction | RecordError] = [*given[:4], *([refused] if tells_refusal else []), *given[4:]]
    form = ResponseFormat(LABELS, wanted, bound, has_header)
    body = encode(answers, Query([""] * len(answers)), form, media_type)
    sent = body if isinstance(body, bytes) else body.encode()
    found = AnswerReader(LABELS, bound).read(media_type, sent, len(answers))
    assert len(found) == len(answers)
    for answer, read in zip(answers, found, strict=True):
        if isinstance(answer, RecordError):
            assert read == REFUSED
            continue
        label, score, unsure = expected(answer, wanted, bound)
        assert (read.label, read.is_unsure, read.is_refused) == (label, unsure, False)
        assert read.score == (None if score is None else pytest.approx(score, rel=1e-5))


@pytest.mark.parametrize("bound", [0.0, BOUND])
@pytest.mark.parametrize("media_type", [JSON, JSON_LINES[0], CSV, "text/csv with header"])
def test_every_answer_is_read_back(media_type, bound):
    """Default, lists of any length, and every selection of fields in any order."""
    for wanted in WANTED:
        check(media_type.split()[0], wanted, bound, has_header=media_type != CSV)


@pytest.mark.parametrize("bound", [0.0, BOUND])
def test_arrays_are_read_back(bound):
    """NumPy's arrays have all probabilities, and say nothing of abstention."""
    check(NPY, Wanted(), bound)


def test_what_cannot_be_known_is_left_open():
    """Without the bound, probabilities do not tell whether the model abstained."""
    reader = AnswerReader(LABELS, None)
    assert reader.read(CSV, b"0.5,0.3,0.2", 1) == [Answer(None, 0.5, is_unsure=None)]
    assert reader.read(CSV, b"ham,0.5,", 1) == [Answer("ham", 0.5)]


def test_rows_that_mean_two_things_are_not_guessed():
    """`probability,probabilities` or `probabilities,probability`: of two classes, a single row may be both."""
    with pytest.raises(UnreadableError, match="two ways"):
        AnswerReader(["ham", "spam"]).read(CSV, b"0.75,0.25,0.75", 1)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, b'[{"label": ["ham"], "score": 0.5}]'),
        (JSON, b'[{"label": {"a": 1}, "score": 0.5}, {"label": {}, "score": 0.5}, {"label": [], "score": 0}]'),
        (JSON, b'[{"label": "ham", "score": 1' + b"0" * 400 + b"}]"),
        (JSON, b'[{"label": "ham", "score": 4}]'),
        (JSON, b"[" * 100_000),
        (CSV, b'ham,0.9,\n"' + b"x" * 200_000 + b'",0.9,'),
        (CSV, b"label,score\nham,0.9\nham,4"),
    ],
    ids=["list", "dict", "huge", "rating", "deep", "long-cell", "csv-rating"],
)  # fmt: skip
def test_hostile_answers_are_unreadable(media_type, body):
    """What no server of this model answers ends no report."""
    with pytest.raises(UnreadableError):
        AnswerReader(LABELS).read(media_type, body, None)
