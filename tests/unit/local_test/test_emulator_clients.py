"""What the emulator calls a fault in the eyes of clients, and what it leaves undecided."""

import json
from typing import Any

import pytest

from sagemaker_emulator.checks import CHECKS
from sagemaker_emulator.client import Answer
from sagemaker_emulator.client_judgements import (
    depth_of,
    first_input,
    header_for,
    judge_alike,
    judge_answered,
    judge_bytes,
    judge_classes,
    judge_error,
    judge_expect,
    judge_hugging_face,
    numbers_per_record,
)

ONE = b'[{"label": "Film", "score": 0.5}]'
FLAT = b'[{"label": "Film", "score": 0.5}, {"label": "Song", "score": 0.25}]'
NESTED = b'[[{"label": "Film", "score": 0.5}], [{"label": "Film", "score": 0.5}]]'


def answer(status: int, body: bytes = ONE) -> Answer:
    """Return an answer."""
    return Answer(status, body, {}, 0.1, 1.0, 1.1)


def test_only_what_every_request_meets_is_required():
    """SageMaker itself adds ids and passes Accept on; the rest is a matter between an image and its clients."""
    required = {name for name, check in CHECKS.items() if check.group == "clients" and check.is_required}
    assert required == {"clients.accept-any", "clients.ids"}


def test_an_answer_must_be_the_usual_one():
    """200 and the same labels; digits of a score may differ; without any request nothing is seen."""
    usual = answer(200)
    assert judge_alike([("*/*", answer(200, ONE.replace(b"0.5", b"0.5001")), usual)])[0] is True
    assert judge_alike([("*/*", answer(406), usual)]) == (False, f"1 of 1: */*: 406: {ONE.decode()}")
    assert judge_alike([("*/*", answer(200, FLAT), usual)]) == (False, "another answer for */*")
    assert judge_alike([], "no request of text/csv is known") == (None, "no request of text/csv is known")
    assert judge_answered([("*/*", answer(200, FLAT), usual)])[0] is True
    assert judge_answered([("*/*", answer(200, b""), usual)])[0] is False
    assert judge_answered([])[0] is None


@pytest.mark.parametrize(
    ("status", "body", "holds"),
    [
        (200, ONE, True),  # an image that reads bytes
        (415, b'{"error": "application/octet-stream is not supported"}', True),
        (415, b"wrong type", False),
        (500, b"application/octet-stream: cannot parse", False),
        (0, b"closed", False),
    ],
)
def test_bytes_are_read_or_refused_by_name(status, body, holds):
    """What clients send that name no type is the commonest 415 of all."""
    assert judge_bytes(answer(status, body))[0] is holds


@pytest.mark.parametrize(
    ("status", "body", "holds"),
    [
        (415, b'{"error": "Send text/csv.", "code": "unsupported"}', True),
        (415, b'{"error": "Send text/csv."}', False),
        (415, b'{"error": "", "code": "unsupported"}', False),
        (415, b'"unsupported"', False),
        (415, b"<html>", False),
        (200, ONE, None),
        (0, b"closed", None),
    ],
)
def test_errors_are_for_programs_too(status, body, holds):
    """A sentence and a code in an object; where nothing was refused, nothing is seen."""
    assert judge_error(answer(status, body))[0] is holds


def test_a_body_that_waits_is_read_either_way():
    """After 100 Continue, or without it after the second that clients wait."""
    assert judge_expect(answer(200), is_asked=True)[0] is True
    assert judge_expect(answer(200), is_asked=False) == (
        True,
        f"200: {ONE.decode()}, the body was sent after a second without 100 Continue",
    )
    assert judge_expect(answer(417), is_asked=True)[0] is False


@pytest.mark.parametrize(
    ("bodies", "holds"),
    [
        ((ONE, ONE, FLAT, NESTED), True),
        ((ONE, ONE, b"[" + FLAT + b"]", NESTED), False),  # nested for one string
        ((ONE, ONE, FLAT, FLAT), False),  # flat for a list
        ((ONE, ONE, b"Film", NESTED), False),
        ((), None),
    ],
)
def test_hugging_faces_clients_read_answers_by_their_nesting(bodies, holds):
    """Flat for one string, a list per text for a list."""
    answers = [(f"request {number}", answer(200, body)) for number, body in enumerate(bodies)]
    assert judge_hugging_face(answers)[0] is holds
    if answers:
        refused = [*answers[:3], ("top_k", answer(400))]
        assert judge_hugging_face(refused) == (False, f"top_k: 400: {ONE.decode()}")


@pytest.mark.parametrize(
    ("bodies", "holds"),
    [
        ([b"Film,0.7,0.3,\nSong,0.1,0.9,", b'[{"label": "Film", "scores": [0.7, 0.3]}]'], True),
        ([b"Film,0.7,0.3,\nSong,0.9", FLAT], False),  # uneven rows
        (
            [b"Film,0.7,0.3", b'{"label": "Film", "scores": [0.5, 0.25, 0.25]}'],
            True,
        ),  # one asks for some itself
        ([b"Film,0.7,0.3", b'{"label": "Film", "scores": [0.5]}'], False),  # one form ignores it
        ([b"Film,0.7", b'{"label": "Film"}'], False),
        ([ONE, ONE], None),  # the usual answers
    ],
)
def test_all_classes_are_as_many_numbers_per_record(bodies, holds):
    """In each form, whatever its names are; an image that answers as ever may have no classes."""
    pairs = [(f"form {number}", answer(200, body), answer(200)) for number, body in enumerate(bodies)]
    assert judge_classes(pairs)[0] is holds
    assert judge_classes([("text/csv", answer(400), answer(200))])[0] is False


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        (b"1.5\n2\n", {1}),
        (b"a,1,2\n\nb,3\n", {1, 2}),
        (b'{"p": [1, 2], "is": true}\n{"p": [1, {"q": 2}]}\n', {2}),
        (b'[{"p": [1, 2]}, {"error": "x"}]', {0, 2}),
        (b"", set()),
    ],
)
def test_numbers_are_counted_in_every_form(body, numbers):
    """Rows of CSV, lines of JSON, a list; truth values are none."""
    assert numbers_per_record(body) == numbers


def test_requests_are_made_of_what_the_profile_has():
    """A header for as many cells as the rows have; a text only from a body with inputs."""
    assert header_for(b'"a, b"\nc\n') == b"text\n"
    assert header_for(b"1,2,3\n") == b"column_1,column_2,column_3\n"
    assert header_for(b"") == b"text\n"
    assert first_input(json.dumps({"inputs": ["a", "b"]}).encode()) == "a"
    assert first_input(b'{"inputs": "a"}') == "a"
    for body in (b'{"inputs": []}', b'{"instances": ["a"]}', b'["a"]', b'{"inputs": [7]}', b"\xff"):
        assert first_input(body) is None


def test_lists_are_counted_around_the_first_object():
    """An empty list has no object, and counts as one list."""
    values: list[Any] = [{}, [{}], [[{}]], [], None]
    assert list(map(depth_of, values)) == [0, 1, 2, 1, 0]
