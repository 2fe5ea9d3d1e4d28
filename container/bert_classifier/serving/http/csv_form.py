"""What a CSV body holds: one text per row, or a table whose text column is known."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from bert_classifier.data.columns import bare, is_known, names_both
from bert_classifier.data.csv_looks import LabelColumns, classes_of, split_names
from bert_classifier.data.dialect import Dialect
from bert_classifier.data.first_row import MOST_COLUMNS, is_no_text, may_be_header
from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.text_columns import CLIENTS_NAMES, FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import ABSENT, PRESENT
from bert_classifier.serving.http.body_records import NO_FIELDS, Lines, Record, RecordError
from bert_classifier.serving.http.csv_rows import RFC_4180, CsvRecord, of_csv, rows_of

_OF_PARTS = (
    "For batch transform, set SERVING_CSV_COLUMNS to the columns' names (make batch-transform COLUMNS=label,text),"
    " or give JSON Lines"
)
_MOST_OF_PAIRS = 1000  # columns of a header


@dataclasses.dataclass(frozen=True, slots=True)
class CsvForm:
    """Context for a CSV body.

    Attributes:
        header: PRESENT, ABSENT, or "" if the Content-Type does not say.
        labels: possible labels of the model's classes, from csv_looks.classes_of.
        is_part: whether the body may be a later part of a file, without the file's header.
        fields: names of the text, the title and the label in the model's training data.
        columns: of all bodies, where a setting gives them.
        names: of the classes, in lower case.
    """

    header: str = ""
    labels: frozenset[str] = frozenset()
    is_part: bool = False
    fields: TextFields = NO_FIELDS
    columns: FixedColumns | None = None
    names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        header: str,
        class_names: Sequence[str],
        *,
        is_part: bool,
        fields: TextFields = NO_FIELDS,
        columns: FixedColumns | None = None,
    ) -> Self:
        """Return the form for a model's classes and training data."""
        labels, names = _classes(tuple(class_names))
        return cls(header, labels, is_part, fields, columns, names)

    def is_likely_header(self, cells: Sequence[str]) -> bool:
        """Return whether a first row that is not announced looks like a header; endless ones do not."""
        if self.fields.is_paired and len(cells) <= _MOST_OF_PAIRS and pairs_in([*map(bare, cells)]):
            return True
        return self._is_wide(cells) or may_be_header(cells, _known_names(self.fields))

    def _is_wide(self, cells: Sequence[str]) -> bool:
        """Return whether a row names the training's text and several classes, each a column of 0 and 1."""
        if not self.fields.text or not 2 < len(cells) <= MOST_COLUMNS:
            return False
        has_text = bare(self.fields.text) in map(bare, cells)
        return has_text and len(self.names & {*map(as_label, cells)}) > 1

    def has_class(self, cells: Sequence[str]) -> bool:
        """Return whether a row that looks like a header has a class of the model too, so that it may be data.

        A class may be called as columns are: in a row that names label and text, it is such a name.
        """
        cells = split_names(cells)
        if self._is_wide(cells):
            return False
        own = self.fields.names
        classes = [cell for cell in cells if as_label(cell) in self.labels]
        is_header = names_both(cells) or len(own & {*map(bare, cells)}) >= min(len(cells), 2)
        return bool(classes) and not (
            is_header and all(is_known(cell) or bare(cell) in own for cell in classes)
        )

    def is_only_name(self, name: str) -> bool:
        """Return whether a header of one column is known by its name alone."""
        return bare(name) in self.fields.names | CLIENTS_NAMES | {"text"}


@functools.lru_cache(maxsize=8)  # every request has a form, also those of JSON
def _classes(class_names: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return how data may refer to a model's classes, and their names in lower case."""
    return classes_of(class_names), frozenset(name.strip().casefold() for name in class_names)


@functools.lru_cache(maxsize=8)
def _known_names(fields: TextFields) -> frozenset[str]:
    return fields.names | CLIENTS_NAMES


def as_label(cell: str) -> str:
    """Return a cell as the classes of a form are written."""
    return cell.strip(" ").casefold()


def bad_csv(cause: str, remedy: str) -> RequestError:
    """Return the error of a body that is not understood."""
    return RequestError(400, "bad_csv", cause, remedy)


def is_filled(cells: list[str] | RecordError) -> bool:
    """Return whether a row has a visible character, or is invalid."""
    return isinstance(cells, RecordError) or bool("".join(cells).strip())


def first_cells(lines: Lines, dialect: Dialect = RFC_4180) -> list[str]:
    """Return the cells of the first row that is not blank; none without one, or if it is invalid."""
    cells = next((cells for _, cells in rows_of(lines, dialect) if is_filled(cells)), [])
    return [] if isinstance(cells, RecordError) else cells


def texts_of(lines: Lines, form: CsvForm) -> Iterator[Record]:
    """Yield each row as one text.

    Raises:
        RequestError: 400 at the end if most rows have a label in the same place.
    """
    return _without_labels(of_csv(lines), form)


def texts_of_part(lines: Lines, form: CsvForm) -> Iterator[Record]:
    """Yield each row of what may be a later part of a file as one text.

    Raises:
        RequestError: 400 for a header, announced or not; 400 as texts_of.
    """
    refuse_header_of_part(lines, form)
    return _without_labels(of_csv(lines), form)


def refuse_header_of_part(lines: Lines, form: CsvForm) -> None:
    """Refuse what may be the header of a file, of which other parts have none; put lines back to their begin.

    Raises:
        RequestError: 400.
    """
    if form.header == PRESENT:
        raise bad_csv(
            "In batch transform, header=present would drop the first row of every later part of a file.",
            f"{_OF_PARTS}.",
        )
    if form.header != ABSENT:
        first = first_cells(lines)
        if is_no_text(first, _known_names(form.fields)) or form.is_likely_header(first):
            raise bad_csv(
                "The first row looks like a header, which names columns.",
                f"{_OF_PARTS}; if it is a text, send the Content-Type text/csv; header=absent.",
            )
        lines.position = 0


def _without_labels(rows: Iterable[CsvRecord], form: CsvForm) -> Iterator[Record]:
    labels = LabelColumns(form.labels)
    for row in rows:
        labels.add(row.cells, is_quoted=row.is_quoted)
        yield row.record
    refuse_labels(labels, form)


def refuse_labels(labels: LabelColumns, form: CsvForm) -> None:
    """Raise 400 if most rows had a label in the same place."""
    if labels.place:
        others = _OF_PARTS if form.is_part else "Send a header row that names the columns, or the texts alone"
        raise bad_csv(
            f"Most rows {labels.place}, like training data, but the columns are not clear."
            if not form.is_part
            else f"Most rows {labels.place}, like training data.",
            f"{others}; quote each text as a whole if these are texts.",
        )


def without_skipped(lines: Lines, dialect: Dialect) -> Dialect:
    """Put lines to the first one behind those that a dialect skips; return the dialect of the rest."""
    lines.position = 0
    for _ in range(dialect.skipped):
        next(lines, None)
    return dataclasses.replace(dialect, skipped=0)
