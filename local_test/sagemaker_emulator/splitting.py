"""Batch transform's cutting and joining: a file into records, records into requests, answers into a file."""

import re
from collections.abc import Iterable, Iterator, Sequence

_NUMBER = re.compile(rb"-?\d+\.?\d*(?:[eE][+-]?\d+)?")


class RecordTooLargeError(ValueError):
    """A record does not fit into a request; SageMaker fails the file."""


def split_lines(content: bytes) -> list[bytes]:
    """Return the records of a file with SplitType=Line, each with its line end if it has one."""
    return [line for line in re.split(rb"(?<=\n)", content) if line]


def requests_of(records: Sequence[bytes], strategy: str, max_payload: int) -> Iterator[bytes]:
    """Yield the bodies of the requests.

    Args:
        strategy: SingleRecord = one record per request; MultiRecord = as many as fit.
        max_payload: bytes of a body at most.
    Raises:
        RecordTooLargeError: for a record that does not fit alone.
    """
    body = b""
    for number, record in enumerate(records, start=1):
        if len(record) > max_payload:
            raise RecordTooLargeError(
                f"record {number} has {len(record)} bytes, a request may have {max_payload}"
            )
        if body and (strategy == "SingleRecord" or len(body) + len(record) > max_payload):
            yield body
            body = b""
        body += record
    if body:
        yield body


def assemble(answers: Iterable[bytes], assemble_with: str) -> bytes:
    """Return the output file: the answers one after another, with AssembleWith=Line a line end after each."""
    end = b"\n" if assemble_with == "Line" else b""
    return b"".join(answer + end for answer in answers)


def lines_of(output: bytes) -> list[bytes]:
    """Return the lines of an output file that are not empty."""
    return [line for line in output.splitlines() if line.strip()]


def are_alike(one: bytes, other: bytes, tolerance: float = 0.02) -> bool:
    """Return whether two answers say the same: the same text around numbers that hardly differ.

    A record's score may change in its last digits with the records that share its request.
    """
    if _NUMBER.sub(b"#", one) != _NUMBER.sub(b"#", other):
        return False
    pairs = zip(map(float, _NUMBER.findall(one)), map(float, _NUMBER.findall(other)), strict=True)
    return all(abs(a - b) <= tolerance * max(1.0, abs(a), abs(b)) for a, b in pairs)
