"""What `invoke` shows of an answer, and what a refusal of the container means."""

import json
import sys

import pytest

from bert_classifier.errors import PlatformError, UserError
from launcher.commands.answer_lines import lines_of
from launcher.commands.invoke import refusal_of, show

BOTH = [{"label": "A", "score": 0.5}, {"label": "B", "score": 0.25, "unsure": True}]


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ([{"label": "Film", "score": 0.98}], ["0.9800 Film"]),
        ({"label": "Film", "score": 0.98}, ["0.9800 Film"]),
        ([BOTH, BOTH], ["0.5000 A   0.2500 B (unsure)"] * 2),
        (BOTH, ["0.5000 A", "0.2500 B (unsure)"]),
        ([{"label": None, "score": 0.3}], ["0.3000 – (unsure)"]),
        ([{"error": "The text is empty", "code": "empty"}], ["–      The text is empty (empty)"]),
        (
            [{"predicted_label": "A", "probabilities": [0.75, 0.25], "labels": ["A", "B"], "error": None}],
            ["predicted_label: A   probabilities: 0.7500, 0.2500   labels: A, B"],
        ),
    ],
)
def test_a_record_has_a_line(answer, lines):
    """Score and class; several side by side; an unsure one is marked; a record in error says why; other fields too."""
    assert lines_of(json.dumps(answer)) == lines


def test_the_classes_of_a_lone_text_are_one_line():
    """The server answers them as a list, like the answers to several texts."""
    assert lines_of(json.dumps(BOTH), is_one=True) == ["0.5000 A   0.2500 B (unsure)"]
    assert lines_of(json.dumps([BOTH]), is_one=True) == ["0.5000 A   0.2500 B (unsure)"]


@pytest.mark.parametrize("answer", ["[]", "[1]", "1", "Film,0.9", '{"label": "a"}\n{"label": "b"}'])
def test_other_answers_are_printed_as_they_came(answer):
    """CSV, JSON Lines, or what another container says."""
    assert lines_of(answer) == []


@pytest.mark.parametrize(
    ("response", "family", "expected"),
    [
        (
            {"OriginalStatusCode": 413, "OriginalMessage": '{"error": "Too large", "code": "size"}'},
            UserError,
            "answered 413: Too large (size).",
        ),
        ({"OriginalStatusCode": 500, "OriginalMessage": "a\n b"}, PlatformError, "answered 500: a b."),
        ({"OriginalStatusCode": 502, "OriginalMessage": "[]"}, PlatformError, "answered 502: []."),
        ({"Error": {"Message": "timed out"}}, PlatformError, "answered 500: timed out."),
    ],
)
def test_a_refusal_is_one_sentence_of_its_family(response, family, expected):
    """The container's own words where it has said any; a log to look at where the fault is not the caller's."""
    error = refusal_of("mine", response)
    assert type(error) is family
    assert expected in str(error)


def test_an_array_is_written_byte_for_byte(capfdbinary):
    """With RAW; a terminal cannot show it."""
    array = b"\x93NUMPY\x01\x00v\x00{}\n\xff\xf0\x00"
    show(array, raw=True, is_one=False)
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == array
    with pytest.raises(UserError) as refusal:
        show(array, raw=False, is_one=False)
    assert "RAW=true" in refusal.value.remedy


@pytest.mark.parametrize(
    ("raw", "answer", "shown"),
    [
        (True, '[{"label": "ü", "score": 0.5}]', '[{"label": "ü", "score": 0.5}]\n'),
        (False, '[{"label": "ü", "score": 0.5}]', "0.5000 ü\n"),
        (False, "ü,0.5,\n", "ü,0.5,\n"),
    ],
)
def test_a_text_ends_with_one_line_end(capsys, raw, answer, shown):
    """As it came, or as lines for people."""
    show(answer.encode(), raw=raw, is_one=False)
    assert capsys.readouterr().out == shown
