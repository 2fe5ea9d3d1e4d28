"""What the rows of a CSV body are: texts alone. A header row, or labels beside the texts, are no part of a text."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from bert_classifier.columns import is_header
from bert_classifier.errors import RequestError
from bert_classifier.serving.body_records import CsvRecord, Record

PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`


@dataclasses.dataclass(frozen=True, slots=True)
class CsvForm:
    """What is known about a body besides its bytes.

    Attributes:
        header: PRESENT, ABSENT, or "" where the Content-Type does not say.
        labels: how the data that trained the model name its classes.
        is_part: whether the body may be a later part of a file, which the file's header is no part of.
    """

    header: str = ""
    labels: frozenset[str] = frozenset()
    is_part: bool = False

    @classmethod
    def of(cls, header: str, class_names: Sequence[str], *, is_part: bool) -> Self:
        """Return the form for a model's classes, which data call by name or number them from 1 on."""
        are_numbers = all(name.isdigit() for name in class_names)
        numbers = () if are_numbers else map(str, range(1, len(class_names) + 1))
        return cls(header, frozenset([*class_names, *numbers]), is_part)


def records_of(rows: Iterable[CsvRecord], form: CsvForm) -> Iterator[Record]:
    """Yield the record of each row, that of a header left out where the Content-Type says that there is one.

    Raises:
        RequestError: 400 for a header that was not announced, or has several columns; 400 at the end, when every
            row began with a label.
    """
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    if form.header == PRESENT:
        _check_header(first, form)
    elif form.header != ABSENT and is_header(first.cells):
        raise _error(
            "The first row looks like a header, which names columns.",
            "Take it out; if it is a text, send the Content-Type text/csv; header=absent.",
        )
    else:
        rows = itertools.chain([first], rows)
    have_labels: set[bool | None] = set()
    for row in rows:
        have_labels.add(_has_label(row.cells, form.labels))
        yield row.record
    if True in have_labels and False not in have_labels:
        raise _error(
            "Every row begins with a class and a comma, as training data do.",
            "Send the texts alone, or quote each text as a whole.",
        )


def _check_header(first: CsvRecord, form: CsvForm) -> None:
    if form.is_part:
        raise _error(
            "In batch transform header=present would cost every later part of a file its first row.",
            "Take the header row out of the files.",
        )
    if len(first.cells) != 1:
        raise _error(
            f"The header names {len(first.cells)} columns.",
            "Send the column of texts alone, or application/jsonlines.",
        )


def _has_label(cells: Sequence[str], labels: frozenset[str]) -> bool | None:
    """Say whether a row is a label and a text; None where it cannot be told."""
    if not any(cell.strip() for cell in cells):
        return None
    if len(cells) == 1 or cells[0] not in labels or cells[1][:1].isspace():  # "No, thanks": prose has a blank
        return False
    return None if cells[0].isdigit() and cells[1][:1].isdigit() else True  # "1,000 people"


def _error(cause: str, remedy: str) -> RequestError:
    return RequestError(400, "bad_csv", cause, remedy)
