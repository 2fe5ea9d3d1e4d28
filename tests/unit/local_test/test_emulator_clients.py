"""What the emulator calls a fault in the eyes of clients, and what it leaves undecided."""

import json

import pytest

from sagemaker_emulator.checks import CHECKS
from sagemaker_emulator.client import Answer, Server
from sagemaker_emulator.client_judgements import (
    judge_alike,
    judge_answered,
    judge_bytes,
    judge_error,
    judge_expect,
    judge_lists,
    with_and_without_header,
)
from sagemaker_emulator.engine import Container
from sagemaker_emulator.level import Level
from sagemaker_emulator.model_task import gives_several_labels

ONE = b'[{"label": "Film", "score": 0.5}]'
FLAT = b'[{"label": "Film", "score": 0.5}, {"label": "Song", "score": 0.25}]'
PAGE = b"<html>Film</html>"


class Nobody(Container):
    """A container in which nothing listens."""

    def address(self, port: int) -> tuple[str, int]:
        """Return a port of this machine at which nobody listens."""
        return "127.0.0.1", port


def answer(status: int, body: bytes = ONE) -> Answer:
    """Return an answer."""
    return Answer(status, body, {}, 0.1, 1.0, 1.1)


def test_only_what_every_request_meets_costs_something():
    """SageMaker itself adds ids and passes Accept on; the rest is a matter between an image and its clients."""
    levels = {name: check.level for name, check in CHECKS.items() if check.group == "clients"}
    assert {name for name, level in levels.items() if level is not Level.PRACTICE} == {
        "clients.accept-any",
        "clients.ids",
    }


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


def test_java_wants_the_usual_form_and_a_browser_may_get_a_page():
    """Both lists begin with text/html, but no program in Java reads a page."""
    as_ever, page, refused = [("list", answer(200, body), answer(200)) for body in (ONE, PAGE, b"")]
    assert judge_lists([as_ever], [as_ever]) == (True, "2 requests answered with 200, those of Java as usual")
    assert judge_lists([as_ever], [page])[0] is True
    assert judge_lists([page], [as_ever]) == (False, "another answer for list")
    assert judge_lists([as_ever], [refused])[0] is False
    assert judge_lists([], [])[0] is None


@pytest.mark.parametrize(
    ("status", "body", "holds"),
    [
        (200, ONE, True),  # an image that reads bytes
        (200, b"", False),
        (200, FLAT, False),
        (415, b'{"error": "application/octet-stream is not supported"}', True),
        (415, b"wrong type", False),
        (500, b"application/octet-stream: cannot parse", False),
        (0, b"closed", False),
    ],
)
def test_bytes_are_read_or_refused_by_name(status, body, holds):
    """What clients send that name no type is the commonest 415 of all."""
    assert judge_bytes(answer(status, body), answer(200))[0] is holds


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


def test_a_body_that_waits_is_asked_for():
    """By 100 Continue; without it clients wait for a second, and a refusal is none."""
    assert judge_expect(answer(200), 100)[0] is True
    assert judge_expect(answer(200), None) == (
        False,
        f"200: {ONE.decode()}, but no 100 Continue: clients wait a second for it",
    )
    assert judge_expect(answer(417), 417)[0] is False
    assert judge_expect(answer(200), 200)[0] is False
    assert judge_expect(answer(500), 100)[0] is False


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b'"a, b"\nc\n', b"text\n"),
        (b'a,"b, d"\nc,d\n', b"text,text_pair\n"),
        (b"1,2,3\n4,5,6", b"column_1,column_2,column_3\n"),
    ],
)
def test_a_header_has_as_many_names_as_the_rows_have_cells(body, header):
    """Two texts are called as transformers calls those of a pair."""
    assert with_and_without_header(body, b"Film,0.5\nFilm,0.5") == (header + body, body)


@pytest.mark.parametrize("answered", [b'[{"label": "Film"}, {"label": "Song"}]', b"Film,0.5\nSong,0.5\n"])
def test_a_header_of_its_own_is_what_is_not_answered(answered):
    """Then the body without it is what has none, whatever stands within quotes."""
    header, rows = '"näme,\none",text_pair\r\n'.encode(), b"a,b\r\n\r\nc,d"
    assert with_and_without_header(header + rows, answered) == (header + rows, rows)
    assert with_and_without_header(rows, answered)[1] == rows


@pytest.mark.parametrize(
    ("config", "several"),
    [
        ({"problem_type": "multi_label_classification"}, True),
        ({"problem_type": "single_label_classification"}, False),
        ({"problem_type": None}, None),
        ([], None),
    ],
)
def test_what_a_model_answers_is_taken_from_its_files(tmp_path, config, several):
    """Where the server, here none at all, does not say; without files, the answers must show it."""
    nobody = Server(Nobody("nobody"), 1)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert gives_several_labels(nobody, tmp_path) is several
    assert gives_several_labels(nobody, tmp_path / "none") is None
    assert gives_several_labels(nobody, None) is None
