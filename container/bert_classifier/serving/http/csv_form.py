"""Check that a CSV body holds only texts, without a header row or labels."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from bert_classifier.data.csv_looks import LabelColumns, classes_of, is_likely_header
from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import CsvRecord, Record, RecordError

PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`


@dataclasses.dataclass(frozen=True, slots=True)
class CsvForm:
    """Context for a CSV body.

    Attributes:
        header: PRESENT, ABSENT, or "" if the Content-Type does not say.
        labels: possible labels of the model's classes, from csv_looks.classes_of.
        is_part: whether the body may be a later part of a file, without the file's header.
    """

    header: str = ""
    labels: frozenset[str] = frozenset()
    is_part: bool = False

    @classmethod
    def of(cls, header: str, class_names: Sequence[str], *, is_part: bool) -> Self:
        """Return the form for a model's classes."""
        return cls(header, classes_of(class_names), is_part)


def records_of(rows: Iterable[CsvRecord], form: CsvForm) -> Iterator[Record]:
    """Yield the record of each row, except for a header announced in the Content-Type.

    Raises:
        RequestError: 400 for a header that was not announced, is invalid or has several columns; 400 at the end if
            most rows begin or end with a label.
    """
    labels, is_first = LabelColumns(form.labels), True
    for row in rows:
        is_blank = bool(row.cells) and not "".join(row.cells).strip()
        if is_first and (form.header == PRESENT or not is_blank):
            is_first = is_blank
            if form.header == PRESENT:
                if not is_blank:
                    _check_header(row, form)
                continue
            _refuse_header(row, form)
        labels.add(row.cells)
        yield row.record
    if labels.place:
        raise _error(
            f"Most rows {labels.place} with a class beside a comma, like training data.",
            "Send the texts alone, or quote each text as a whole.",
        )


def _refuse_header(first: CsvRecord, form: CsvForm) -> None:
    if form.header != ABSENT and is_likely_header(first.cells):
        raise _error(
            "The first row looks like a header, which names columns.",
            "Take it out; if it is a text, send the Content-Type text/csv; header=absent.",
        )


def _check_header(first: CsvRecord, form: CsvForm) -> None:
    if form.is_part:
        raise _error(
            "In batch transform, header=present would drop the first row of every later part of a file.",
            "Take the header row out of the files.",
        )
    if not first.cells and isinstance(first.record, RecordError):
        raise _error(f"The header row cannot be read ({first.record.error}).", "Correct the row.")
    if len(first.cells) != 1:
        raise _error(
            f"The header names {len(first.cells)} columns.",
            "Send the column of texts alone, or application/jsonlines.",
        )


def _error(cause: str, remedy: str) -> RequestError:
    return RequestError(400, "bad_csv", cause, remedy)
