"""What `invoke` shows of an answer, and what a refusal of the container means."""

import pytest

from bert_classifier.errors import PlatformError, UserError
from launcher.commands.invoke import is_listed, lines_of, refusal_of


def test_a_record_has_a_line():
    """Score and class; several side by side; an unsure one is marked; a record in error says why."""
    assert lines_of([{"label": "Film", "score": 0.98}]) == ["0.9800 Film"]
    both = [{"label": "A", "score": 0.5}, {"label": "B", "score": 0.25, "unsure": True}]
    assert lines_of([both]) == ["0.5000 A   0.2500 B (unsure)"]
    assert lines_of([{"label": None, "score": 0.3}]) == ["0.3000 – (unsure)"]
    assert lines_of([{"error": "The text is empty", "code": "empty"}]) == ["–      The text is empty (empty)"]


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ('[{"label": "a"}]', True),
        ("[[]]", True),
        ("[]", False),
        ("[1]", False),
        ("{}", False),
        ("Film,0.9", False),
    ],
)
def test_other_answers_are_printed_as_they_came(answer, listed):
    """CSV, JSON Lines, or what another container says."""
    assert is_listed(answer) is listed


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
