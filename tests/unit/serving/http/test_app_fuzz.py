"""Hostile requests to the app around a real tiny model: never a crash, never HTML, never an echo."""

import contextlib
import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_classifier.data.records import text_problem
from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import JSON, NPY, READ, WRITTEN
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.predictor import Predictor
from bert_classifier.serving.model.service import ModelService
from support.fakes import CLASS_NAMES
from support.patience import PATIENCE_S

CONTENT_TYPES = st.sampled_from([*READ, "text/csv; charset=UTF-8", "text/html"]) | st.text(max_size=30)
ACCEPTS = st.sampled_from(["*/*", *WRITTEN]) | st.text(max_size=30)
NAMES = st.sampled_from(
    ["inputs", "instances", "text", "text_pair", "premise", "parameters", "top_k", "threshold", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=200)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.lists(VALUES, max_size=4).map(lambda values: "\n".join(map(json.dumps, values)).encode())
    | st.text('apple river",\r\n\0\u2028é{}[]:', max_size=200).map(str.encode)
)


@pytest.fixture(scope="module")
def client(predictor: Predictor) -> Iterator[FlaskClient]:
    """Return a client whose app lives as long as the module: hypothesis calls a test many times."""
    yield from _client(predictor)


@pytest.fixture(scope="module")
def multi_label_client(multi_label_predictor: Predictor) -> Iterator[FlaskClient]:
    """Return a client of a model whose texts may have several labels."""
    yield from _client(multi_label_predictor)


@pytest.fixture(scope="module")
def pair_client(pair_predictor: Predictor) -> Iterator[FlaskClient]:
    """Return a client of a model of text pairs."""
    yield from _client(pair_predictor)


def _client(predictor: Predictor) -> Iterator[FlaskClient]:
    failures: list[Exception] = []
    config = ServeConfig(serving_max_batch_tokens=128)
    service = ModelService(lambda: [predictor], failures.append, config, Metrics())
    service.start()
    while not service.is_ready:
        assert not failures
    yield create_app(service, ServeConfig(serving_max_records=20)).test_client()
    assert service.close(timeout=PATIENCE_S)


def _header(value: str) -> str:
    return "".join(c for c in value if " " <= c <= "~")


@settings(max_examples=400)
@given(body=BODIES, content_type=CONTENT_TYPES, accept=ACCEPTS)
def test_any_request_gets_a_proper_answer(client, body, content_type, accept):
    """Whatever comes in, the status is 200 or names the caller's mistake, and the body is of a known form."""
    _check_answer(client, body, content_type, accept)


@settings(max_examples=200)
@given(body=BODIES, content_type=CONTENT_TYPES, accept=ACCEPTS)
def test_any_request_to_a_model_with_several_labels(multi_label_client, body, content_type, accept):
    """As to any other; no 500, no worker that fails."""
    _check_answer(multi_label_client, body, content_type, accept)


@settings(max_examples=200)
@given(body=BODIES, content_type=CONTENT_TYPES, accept=ACCEPTS)
def test_any_request_to_a_model_of_pairs(pair_client, body, content_type, accept):
    """As to any other; no 500, no worker that fails."""
    _check_answer(pair_client, body, content_type, accept)


@settings(max_examples=400)
@given(body=BODIES, content_type=st.sampled_from(READ))
def test_any_body_for_a_model_of_pairs(body, content_type):
    """It is refused, or each record is a pair of texts that may be classified, or names what is wrong with it."""
    form = CsvForm.of("", CLASS_NAMES[:3], is_part=False, fields=TextFields(is_paired=True))
    with contextlib.suppress(RequestError):
        for record in codec.decode(content_type, body, 20, form).records:
            assert isinstance(record, TextPair | RecordError)
            if isinstance(record, TextPair):
                assert text_problem(record.first) is None
                assert text_problem(record.second) is None


def _check_answer(client, body, content_type, accept):
    headers = {"Accept": _header(accept), "Content-Type": _header(content_type)}
    response = client.post("/invocations", data=body, headers=headers, buffered=True)
    assert response.status_code in (200, 400, 406, 413, 415)
    if response.status_code == 200:
        assert response.mimetype in WRITTEN
    else:
        assert response.mimetype == JSON
        assert set(response.json) == {"error", "code"}


@settings(max_examples=200)
@given(body=BODIES, content_type=st.sampled_from([t for t in READ if t not in (JSON, NPY)]))
def test_lines_in_are_lines_out(client, body, content_type):
    """A body of lines is answered with lines, and a line put before it adds just its own to the answer.

    Not of a table, whose first line may be a header.
    """
    first = client.post("/invocations", data=body, content_type=content_type, buffered=True)
    refusals = ("too_many_records", "second_text", "bad_parameters", "bad_csv")
    if first.status_code != 200:
        assert first.json["code"] in (
            *refusals,
            "bad_request",
            "bad_encoding",
            "unsupported_encoding",
            "unsupported_media_type",
        )
        return
    form = CsvForm.of("", CLASS_NAMES[:3], is_part=False)
    if codec.decode(content_type, body, 20, form).understood not in ("", "one text per row"):
        return
    if b"\r" in body.replace(b"\r\n", b""):  # such a line end counts where the first line has it
        return
    lines = first.text.split("\n") if first.text else []
    body = b"apple\n" + body.removeprefix(b"\xef\xbb\xbf")
    again = client.post("/invocations", data=body, content_type=content_type, buffered=True)
    assert again.status_code == 200 or again.json["code"] in refusals
    if again.status_code == 200:
        _assert_same_answers(again.text.split("\n")[1:], lines)


def _assert_same_answers(found, wanted):
    """The lines are the same but for rounding: neighbours in a batch may change a score's last printed digit."""
    assert [_SCORE.sub("score", line) for line in found] == [_SCORE.sub("score", line) for line in wanted]
    scores = [[float(score) for line in lines for score in _SCORE.findall(line)] for lines in (found, wanted)]
    assert scores[0] == pytest.approx(scores[1], abs=2e-6)


_SCORE = re.compile(r"\b[01]\.[0-9]+(?:e-[0-9]+)?")
