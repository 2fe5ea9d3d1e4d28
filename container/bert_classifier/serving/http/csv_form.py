"""The texts of a CSV body: its only column, or the text column that an announced header names."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Self

from bert_classifier.data.as_trained import TextFields
from bert_classifier.data.columns import LAST_TEXT_NAMES, TEXT_NAMES, bare, with_title
from bert_classifier.data.csv_looks import LabelColumns, classes_of, is_likely_header
from bert_classifier.data.second_texts import is_second_text
from bert_classifier.errors import RequestError
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted
from bert_classifier.serving.http.body_records import (
    NO_FIELDS,
    Record,
    RecordError,
    text_record,
)
from bert_classifier.serving.http.csv_rows import CsvRecord

PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`
_DELIMITER = re.compile(r"[;\t|~^]")
_KNOWN_TEXTS = (frozenset().union(*TEXT_NAMES), *(frozenset({name}) for name in LAST_TEXT_NAMES))
_ANNOUNCE = (
    "Send the Content-Type text/csv; header=present; if it is a text, text/csv; header=absent.",
    "Take it out; if it is a text, send the Content-Type text/csv; header=absent.",  # in batch transform
)


@dataclasses.dataclass(frozen=True, slots=True)
class CsvForm:
    """Context for a CSV body.

    Attributes:
        header: PRESENT, ABSENT, or "" if the Content-Type does not say.
        labels: possible labels of the model's classes, from csv_looks.classes_of.
        is_part: whether the body may be a later part of a file, without the file's header.
        fields: names of the text, the title and the label in the model's training data.
    """

    header: str = ""
    labels: frozenset[str] = frozenset()
    is_part: bool = False
    fields: TextFields = NO_FIELDS

    @classmethod
    def of(
        cls, header: str, class_names: Sequence[str], *, is_part: bool, fields: TextFields = NO_FIELDS
    ) -> Self:
        """Return the form for a model's classes and training data."""
        return cls(header, classes_of(class_names), is_part, fields)


def records_of(rows: Iterable[CsvRecord], form: CsvForm) -> Iterator[Record]:
    """Yield the record of each row, except for a header announced in the Content-Type.

    Raises:
        RequestError: 400 for a header that was not announced, is invalid or names several columns without the
            training's; 400 at the end if most rows of a single column have a label in the same place.
    """
    rows = iter(rows)
    if form.header == PRESENT:
        header = next((row for row in rows if not _is_blank(row)), None)
        columns = header and _text_columns(header, form)
        if columns:
            yield from map(columns.record_of, rows)
            return
    labels, is_first = LabelColumns(form.labels), form.header != PRESENT
    for row in rows:
        if is_first and not _is_blank(row):
            is_first = False
            _refuse_header(row, form)
        labels.add(row.cells, is_quoted=row.is_quoted)
        yield row.record
    if labels.place:
        raise _error(
            f"Most rows {labels.place}, like training data.",
            "Send the texts alone, or quote each text as a whole.",
        )


def _is_blank(row: CsvRecord) -> bool:
    return bool(row.cells) and not "".join(row.cells).strip()


@dataclasses.dataclass(frozen=True, slots=True)
class _TextColumns:
    """Where text and title are among several columns."""

    width: int
    text: int
    title: int | None

    def record_of(self, row: CsvRecord) -> Record:
        cells = row.cells
        if not cells:
            return row.record  # why it is invalid
        if len(cells) != self.width:
            is_blank = not "".join(cells).strip()
            wrong = f"the row has {counted(len(cells), 'cell')} instead of {self.width}"
            wrong += ": quote a text that has commas" if len(cells) > self.width else ""
            return text_record("") if is_blank else RecordError(wrong)
        text = cells[self.text]
        return text_record(text if self.title is None else with_title(cells[self.title], text))


def _refuse_header(first: CsvRecord, form: CsvForm) -> None:
    if form.header != ABSENT and is_likely_header(first.cells, form.fields.names):
        announce = _ANNOUNCE[form.is_part]
        if _is_between_others(first.cells) and not form.is_part:
            announce = f"Separate the columns by commas, or send application/jsonlines. {announce}"
        raise _error("The first row looks like a header, which names columns.", announce)


def _is_between_others(cells: Sequence[str]) -> bool:
    """Return whether a header's names have other delimiters than commas between them."""
    return len(cells) == 1 and len(_DELIMITER.split(cells[0])) > 1


def _text_columns(header: CsvRecord, form: CsvForm) -> _TextColumns | None:
    """Return the training's columns among those that a header names; None if it names a single one."""
    if form.is_part:
        raise _error(
            "In batch transform, header=present would drop the first row of every later part of a file.",
            "Take the header row out of the files, or give JSON Lines.",
        )
    if not header.cells and isinstance(header.record, RecordError):
        raise _error(f"The header row cannot be read ({header.record.error}).", "Correct the row.")
    names, fields = header.cells, form.fields
    if len(names) == 1:
        if _is_between_others(names) and is_likely_header(names, fields.names):
            raise _error("The header's columns are not separated by commas.", "Send commas, or JSON Lines.")
        text = 0
    else:
        text = _text_position(names, fields)
    title = _title_position(names, fields.title) if fields.title else None
    return _TextColumns(len(names), text, title) if len(names) > 1 else None


def _title_position(names: Sequence[str], title: str) -> int:
    found = _positions(names, {bare(title)})
    if len(found) == 1:
        return found[0]
    number = f"has {counted(len(found), 'column')} called" if found else "has no column"
    raise _error(
        f"The header {number} {shown(title)}, which stands before the text in the training data.",
        "Send it once, with empty cells where a text has none.",
    )


def _text_position(names: Sequence[str], fields: TextFields) -> int:
    """Return the position of the training's text column, or without it of the only one with a name in use."""
    found = _positions(names, {bare(fields.text)} if fields.text else ())
    if len(found) == 1:
        return found[0]
    others = {bare(fields.title), bare(fields.label)} - {""}
    known = found or next(filter(None, (_positions(names, group - others) for group in _KNOWN_TEXTS)), [])
    several = known + [at for at, name in enumerate(names) if at not in known and is_second_text(name)]
    if len(known) == 1 and len(several) == 1:
        return known[0]
    wanted = shown(fields.text or "text")
    if known:
        listed = " and ".join(shown(names[at].strip()) for at in several)
        raise _error(
            f"The header names {len(several)} columns that may be the text: {listed}.",
            f"Send one of them, called {wanted}.",
        )
    own = f"{wanted}, the text column of the training, or " if fields.text else ""
    raise _error(
        f"The header names {len(names)} columns, but not {own}a name in use for texts.",
        f"Call the column of texts {wanted}.",
    )


def _positions(names: Sequence[str], wanted: Collection[str]) -> list[int]:
    """Return the positions of the names that are among these but for case and separators."""
    return [at for at, name in enumerate(names) if bare(name) in wanted]


def _error(cause: str, remedy: str) -> RequestError:
    return RequestError(400, "bad_csv", cause, remedy)
