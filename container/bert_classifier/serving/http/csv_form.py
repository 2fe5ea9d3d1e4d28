"""What the rows of a CSV body are: texts alone. A header row, or labels beside the texts, are no part of a text."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from bert_classifier.data.csv_looks import LabelColumns, classes_of, is_likely_header
from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import CsvRecord, Record, RecordError

PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`


@dataclasses.dataclass(frozen=True, slots=True)
class CsvForm:
    """What is known about a body besides its bytes.

    Attributes:
        header: PRESENT, ABSENT, or "" where the Content-Type does not say.
        labels: how data name the model's classes, as csv_looks.classes_of returns it.
        is_part: whether the body may be a later part of a file, which the file's header is no part of.
    """

    header: str = ""
    labels: frozenset[str] = frozenset()
    is_part: bool = False

    @classmethod
    def of(cls, header: str, class_names: Sequence[str], *, is_part: bool) -> Self:
        """Return the form for a model's classes."""
        return cls(header, classes_of(class_names), is_part)


def records_of(rows: Iterable[CsvRecord], form: CsvForm) -> Iterator[Record]:
    """Yield the record of each row, that of a header left out where the Content-Type says that there is one.

    Raises:
        RequestError: 400 for a header that was not announced, cannot be read or has several columns; 400 at the
            end, when most rows began or ended with a label.
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
            f"Most rows {labels.place} with a class beside a comma, as training data do.",
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
            "In batch transform header=present would cost every later part of a file its first row.",
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
