"""The records of a body of plain text: its lines, without labels where they are lines of fastText."""

import itertools
from collections.abc import Iterator

from bert_classifier.data.fasttext import MARK, split_labels
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record, without_end
from bert_classifier.serving.http.csv_rows import BodyRows


def read_plain_text(body: bytes, max_records: int) -> BodyRows:
    """Return one record per line; if most lines begin with a label as fastText writes it, labels are left out.

    Args:
        max_records: lines up to which the body is looked at for labels.
    """
    if MARK.encode() in body and _has_labels(Lines(body), max_records):
        return BodyRows(map(_labelled_record, Lines(body)), "lines of fastText, labels left out")
    return BodyRows(_records(Lines(body)), "")


def _records(lines: Lines) -> Iterator[Record]:
    return (text_record(without_end(line)) for line in lines)


def _has_labels(lines: Lines, max_records: int) -> bool:
    """Return whether most lines that are not blank begin with a label."""
    filled = (line.lstrip() for line in itertools.islice(lines, max_records + 1))
    begins = [line.startswith(MARK) for line in filled if line]
    return 2 * sum(begins) > len(begins)


def _labelled_record(line: str) -> Record:
    labels, text = split_labels(line)
    if not labels and text:
        return RecordError(f"the line does not begin with {MARK}, as most of the others do")
    return text_record(text)
