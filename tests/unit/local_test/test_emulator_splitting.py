"""Batch transform's cutting and joining, against plain statements of what the service does."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sagemaker_emulator.batch_checks import difference, execution_parameters_fault
from sagemaker_emulator.splitting import (
    RecordTooLargeError,
    are_alike,
    assemble,
    lines_of,
    requests_of,
    split_lines,
)

CONTENTS = st.lists(st.sampled_from([b"a", b"bc", b"", b"\r", b"long record", "ä".encode(), b"\n"])).map(
    b"".join
)
ENDED = st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b" ") + b"\n"), max_size=30)


def packed_by_hand(records: list[bytes], room: int) -> list[bytes]:
    """Return the fullest bodies in order, found by trying every length of each."""
    bodies = []
    while records:
        count = max(n for n in range(1, len(records) + 1) if len(b"".join(records[:n])) <= room)
        bodies.append(b"".join(records[:count]))
        records = records[count:]
    return bodies


@given(CONTENTS)
def test_records_are_the_lines_of_the_file(content):
    """Nothing is lost or added; each record but the last ends where a line ends, and nowhere else."""
    records = split_lines(content)
    assert b"".join(records) == content
    assert all(record.find(b"\n") == len(record) - 1 for record in records[:-1])
    assert len(records) == content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


@given(ENDED, st.integers(13, 60))
def test_multi_record_packs_as_many_as_fit(records, room):
    """The bodies are those found by trying every length."""
    assert list(requests_of(records, "MultiRecord", room)) == packed_by_hand(records, room)


@given(ENDED)
def test_single_record_sends_each_alone(records):
    """One request per record, the same bytes."""
    assert list(requests_of(records, "SingleRecord", 13)) == records


@given(ENDED, st.integers(1, 12))
def test_a_record_that_does_not_fit_is_reported(records, room):
    """No body is ever larger than allowed: the number of the record that is too large is named."""
    assume(any(len(record) > room for record in records))
    with pytest.raises(RecordTooLargeError, match=r"^record \d+ has \d+ bytes"):
        list(requests_of(records, "MultiRecord", room))


@given(ENDED, st.integers(13, 60), st.sampled_from(["MultiRecord", "SingleRecord"]))
def test_an_echo_comes_back_as_it_went(records, room, strategy):
    """With a server that answers each line with itself, and no line end after the last, the output is the input."""
    records = [record for record in records if record.strip()]
    answers = [body.removesuffix(b"\n") for body in requests_of(records, strategy, room)]
    assert assemble(answers, "Line") == b"".join(records)


def test_without_assembly_answers_are_glued():
    """AssembleWith=None puts nothing between two answers."""
    assert assemble([b"a\nb", b"c"], "None") == b"a\nbc"
    assert lines_of(assemble([b"a\n", b"c"], "Line")) == [b"a", b"c"]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (b'{"label": "Film", "score": 0.5012}', b'{"label": "Film", "score": 0.5013}', True),
        (b'{"label": "Film", "score": 0.5}', b'{"label": "Film", "score": 0.9}', False),
        (b'{"label": "Film", "score": 0.5}', b'{"label": "Song", "score": 0.5}', False),
        (b"1e3,2", b"1000,2", True),
        (b"1,2", b"1", False),
        (b"", b"", True),
    ],
)
def test_answers_are_compared_by_text_and_number(one, other, alike):
    """Text must be equal, numbers may differ in their last digits."""
    assert are_alike(one, other) is alike


def test_lost_and_swapped_lines_are_reported():
    """A missing line is counted; of two that changed places the first is named; None stands for any line."""
    assert difference([b"1"], [b"1", b"5"]) == "1 lines for 2 records"
    assert difference([b"5", b"1"], [b"1", b"5"]).startswith("line 1 is b'5'")
    assert difference([b"1", b"x", b"5"], [b"1", None, b"5"]) == ""


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (404, b"", ""),
        (200, b'{"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 25}', ""),
        (200, b"{}", ""),
        (
            200,
            b'{"MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6}',
            "20 transforms of 6 MB are more than 100 MB",
        ),
        (
            200,
            b'{"BatchStrategy": "MULTI_RECORD"}',
            "spells BatchStrategy unlike the service, 'MULTI_RECORD'",
        ),
        (200, b'{"MaxConcurrentTransforms": "4"}', "must be whole numbers"),
        (200, b"ok", "not JSON"),
        (200, b"[1]", "not a JSON object"),
        (500, b"", "status 500"),
        (0, b"", "status missing"),
    ],
)
def test_execution_parameters_are_judged(status, body, fault):
    """Absent is fine; numbers must multiply to 100 MB at most; BatchStrategy is a trap."""
    found, _ = execution_parameters_fault(status, body)
    assert fault in found
    assert bool(found) == bool(fault)
