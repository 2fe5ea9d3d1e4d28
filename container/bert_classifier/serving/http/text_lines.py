"""The records of a body of plain text: its lines, without labels where they are lines of fastText."""

import itertools
from collections.abc import Iterator

from bert_classifier.data.fasttext import MARK, split_labels
from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record, without_end
from bert_classifier.serving.http.csv_rows import BodyRows, CarriageReturnLines, row_error
from bert_classifier.serving.http.foreign_bodies import refuse_json


def read_plain_text(body: bytes, max_records: int, *, is_part: bool = False) -> BodyRows:
    """Return one record per line; if at least half of them begin with a label of fastText, labels are left out.

    Args:
        max_records: lines up to which the body is looked at for labels.
        is_part: whether the body is a part of a batch transform's file, which no single line fails.
    Raises:
        RequestError: 400 for JSON.
    """
    try:
        refuse_json(body)
    except RequestError as error:
        if not is_part or b"\n" in body.strip():
            raise
        return BodyRows(iter([row_error(error)]), "")
    if MARK.encode() in body and _has_labels(_lines_of(body), max_records):
        return BodyRows(map(_labelled_record, _lines_of(body)), "lines of fastText, labels left out")
    return BodyRows(_records(_lines_of(body)), "")


def _lines_of(body: bytes) -> Lines:
    """Return the lines of a body; they end at \\r where no line ends at \\n."""
    return Lines(body) if b"\n" in body else CarriageReturnLines(body)


def _records(lines: Lines) -> Iterator[Record]:
    return (text_record(without_end(line).rstrip("\r")) for line in lines)


def _has_labels(lines: Lines, max_records: int) -> bool:
    """Return whether half of the lines that are not blank, or more, begin with a label."""
    filled = (line.lstrip() for line in itertools.islice(lines, max_records + 1))
    begins = [line.startswith(MARK) for line in filled if line]
    return any(begins) and 2 * sum(begins) >= len(begins)


def _labelled_record(line: str) -> Record:
    labels, text = split_labels(line)
    if not labels and text:
        return RecordError(f"the line does not begin with {MARK}, as others do")
    return text_record(text)
