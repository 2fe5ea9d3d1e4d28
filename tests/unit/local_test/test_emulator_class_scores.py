"""Which answers the emulator takes for the scores of all classes."""

import pytest

from sagemaker_emulator.class_scores import (
    class_counts,
    judge_classes,
    numbers_of_records,
    without_parameters,
)
from sagemaker_emulator.client import Answer

USUAL = b'[{"label": "Film", "score": 0.5}]'
ROWS = b"Film,0.7,0.3,\nSong,0.1,0.9,"


def answer(status: int, body: bytes = USUAL) -> Answer:
    """Return an answer."""
    return Answer(status, body, {}, 0.1, 1.0, 1.1)


@pytest.mark.parametrize(
    ("bodies", "holds"),
    [
        ([ROWS, b'[{"label": "Film", "scores": [0.7, 0.3]}]'], True),
        ([ROWS, b'{"label": "Film", "scores": {"Film": 0.7, "Song": 0.3}, "milliseconds": 3}'], True),
        ([b'Film,"[0.7, 0.3]"', b'{"predictions": [{"probabilities": [0.7, 0.3]}]}'], True),
        ([b"3,0.7,0.3\n0,0.9,0.1"], True),  # labels that are numbers
        ([b"Film,0.67,0.17,0.17"], True),  # rounded
        ([b'{"label": "Film", "score": 0.5, "milliseconds": 3}'], False),
        ([b"3,0.5\n1,0.5"], False),
        ([b"0,0.6\n1,0.4"], False),  # 1 and 0.4 are no scores of two classes
        ([b"Film,0.7,0.3,\nSong,0.9", ROWS], False),  # uneven rows
        ([ROWS, b'{"label": "Film", "scores": [0.5, 0.25, 0.25]}'], False),  # other classes in another form
        ([ROWS, b'{"label": "Film", "scores": [0.5]}'], False),  # one form ignores it
        ([ROWS, b'{"label": "Film", "scores": [0.5, 0.25]}'], False),  # not all classes
        ([ROWS, b'{"label": "Film", "scores": [NaN, NaN]}'], False),
        ([ROWS, b"<html>"], False),
        ([b"Film,0.7", b'{"label": "Film"}'], False),
        ([USUAL, USUAL], None),  # the usual answers
    ],
)
def test_all_classes_are_scores_that_sum_to_1(bodies, holds):
    """In each form, whatever its names are; an image that answers as ever may have no classes."""
    pairs = [(f"form {number}", answer(200, body), answer(200)) for number, body in enumerate(bodies)]
    assert judge_classes(pairs)[0] is holds
    assert judge_classes([("text/csv", answer(400), answer(200))])[0] is False


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        (b"1.5\n2\n", [[1.5], [2]]),
        (b"a,1,2\n\nb,.3\n", [[1, 2], [0.3]]),
        (b'{"p": [1, 2], "is": true}\n{"p": [1, {"q": 2}]}\n', [[1, 2], [1, 2]]),
        (b'[{"p": [1, 2]}, {"error": "x"}]', [[1, 2], []]),
        (b'{"predictions": [{"p": 1}, {"p": 2}]}', [[1], [2]]),
        (b'{"p": [1, 2]}', [[1, 2]]),
        (b"", []),
    ],
)
def test_numbers_are_found_in_every_form(body, numbers):
    """Rows of CSV, lines of JSON, a list, or an object around one; truth values are none."""
    assert numbers_of_records(body) == numbers


def test_every_number_of_classes_that_is_possible_is_counted():
    """A class may have the score 0, and so may a label be 0."""
    assert class_counts([[0.5, 0.5, 0]]) == {2, 3}
    assert class_counts([[0, 0.5, 0.5], [1, 0.25, 0.75]]) == {2}
    assert class_counts([]) == set()


def test_a_request_that_names_some_classes_is_sent_without_them():
    """Other bodies stay as they are, byte for byte."""
    assert without_parameters(b'{"inputs": "a", "parameters": {"top_k": 3}}') == b'{"inputs": "a"}'
    for body in (b'{"inputs":"a"}', b'["parameters"]', b"a,b", b"\xff"):
        assert without_parameters(body) == body


SETS = b'[{"labels": [{"label": "Film", "score": 0.9}]}, {"labels": []}]'


@pytest.mark.parametrize("usual", [SETS, SETS[1:-1].replace(b"}, {", b"}\n{"), b"Film|Song,0.9|0.8,\n,,"])
def test_scores_of_several_labels_need_not_sum_to_1(usual):
    """Each class has a probability of its own; as many in each record and each form."""
    rows = b"Film|Song,0.9,0.8\n,0.1,0.2"
    fields = b'[{"predicted_label": ["Film"], "probabilities": [0.9, 0.8]}]'
    assert judge_classes(
        [("csv", answer(200, rows), answer(200, usual)), ("json", answer(200, fields), answer(200))]
    ) == (
        True,
        "2 scores per record in 2 answers, each from 0 to 1",
    )
    for wrong in (b"Film,0.9,0.8\n,0.1", b"Film,0.9,1.8", b"Film,0.9", b"Film,Song"):
        assert judge_classes([("csv", answer(200, wrong), answer(200, usual))])[0] is False


@pytest.mark.parametrize("usual", [b"a|b,0.5,\nc,0.7,", b'"a|b",0.5,', b"a|b,c|d,0.5"])
def test_a_bar_in_a_label_does_not_make_several(usual):
    """Such rows are those of one label each, whose scores must sum to 1."""
    assert judge_classes([("csv", answer(200, b"a|b,0.7,0.9,"), answer(200, usual))])[0] is False


def test_a_known_task_decides_where_the_form_of_csv_does_not():
    """Rows with one label each look alike, whether a text may have several or not."""
    pairs = [("csv", answer(200, b"Film,0.9,0.8\nSong,0.1,0.7"), answer(200, b"Film,0.9,\nSong,0.7,"))]
    assert judge_classes(pairs, several_labels=True) == (
        True,
        "2 scores per record in 1 answer, each from 0 to 1",
    )
    assert judge_classes(pairs, several_labels=False)[0] is False
    assert judge_classes(pairs)[0] is False
