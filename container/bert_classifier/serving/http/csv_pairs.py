"""CSV bodies without a header for models that read pairs: two cells a row, or a class of the model before them."""

from collections.abc import Iterator, Sequence

from bert_classifier.data.columns import Roles
from bert_classifier.data.csv_looks import LabelColumns, ValueColumns
from bert_classifier.data.csv_table import fitted, used_width
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import num_words
from bert_classifier.data.text_columns import TextColumns, columns_by_place
from bert_classifier.data.text_fields import TextFields
from bert_classifier.job.answer_form import ABSENT
from bert_classifier.serving.http.body_records import Lines, Record, RecordError
from bert_classifier.serving.http.csv_form import (
    CsvForm,
    as_label,
    bad_csv,
    is_filled,
    refuse_header_of_part,
    refuse_labels,
    without_skipped,
)
from bert_classifier.serving.http.csv_header import FirstRow
from bert_classifier.serving.http.csv_rows import RFC_4180, BodyRows
from bert_classifier.serving.http.csv_table import CsvTable, has_swallowed, sampled

ONE_PAIR = "two texts per row"
_SEND_COLUMNS = (
    "Send a header row that names the columns, such as text,text_pair, and quote a text that has a delimiter."
)
_SET_COLUMNS = "For batch transform, set SERVING_CSV_COLUMNS to the columns' names, such as text,text_pair."
_LONGEST_NAME = 30  # characters of a first cell that may name a column
_ENOUGH_ROWS = 5  # of a part of a file, to tell that a column holds no texts
_ALONE = TextColumns(2, Roles(None, 0, pair=1))
_BEHIND_LABEL = TextColumns(3, Roles(0, 1, pair=2))


def read_unnamed_pairs(lines: Lines, first: FirstRow, form: CsvForm) -> BodyRows:
    """Return the rows of a table without a header.

    Raises:
        RequestError: 400 when most rows do not have two cells, or when the first one may be a header; from the iterator
            at the end if most rows may be one text with a comma, or have a label in the same place, or all have a
            number, date or code there.
    """
    if not first.line:
        lines.position = 0
        return BodyRows(_records(CsvTable(RFC_4180, _ALONE, ()), lines, form), ONE_PAIR)
    for delimiter, cells in sorted(first.readings, key=lambda reading: reading[0] != ","):
        if len(cells) < 2:
            continue
        dialect, sample = sampled(lines, ReaderSettings(header="false", delimiter=delimiter))
        columns = _columns_of(sample.rows, form)
        if columns is None:
            continue
        if form.header != ABSENT:
            _refuse_names(sample.rows, columns, form)
        table = CsvTable(without_skipped(lines, dialect), columns, (), has_swallowed(dialect, sample))
        at = columns.roles.label
        label = "" if at is None else f"label in column {at + 1}, "
        return BodyRows(_records(table, lines, form), f"no header, {label}{columns}")
    raise bad_csv("Most rows do not have two cells, and the model reads pairs of texts.", _SEND_COLUMNS)


def read_part_of_pairs(lines: Lines, form: CsvForm) -> BodyRows:
    """Return the rows of what may be a later part of a file: two cells between commas.

    Raises:
        RequestError: 400 for a header, announced or not; from the iterator as read_unnamed_pairs.
    """
    refuse_header_of_part(lines, form)
    return BodyRows(_records(CsvTable(RFC_4180, _ALONE, ()), lines, form), ONE_PAIR)


def _columns_of(rows: Sequence[list[str]], form: CsvForm) -> TextColumns | None:
    """Return which columns the texts of most rows are; None if they do not have as many."""
    width = used_width(rows) if rows else 0
    columns = _told(width, form.fields) or {2: _ALONE, 3: _BEHIND_LABEL}.get(width)
    cut = [fitted(row, width) for row in rows]
    if columns is None or 2 * sum(len(row) == width for row in cut) <= len(rows):
        return None
    if columns is _BEHIND_LABEL and not all(
        as_label(row[0]) in form.labels for row in cut if len(row) == width
    ):
        return None
    return columns


def _told(width: int, fields: TextFields) -> TextColumns | None:
    """Return the columns whose numbers the training was told, if the rows are as wide as they need."""
    told = columns_by_place(width, fields) if fields.numbers else ()
    return next((columns for columns in told if columns.roles.pair is not None), None)


def _is_prose(line: str, cells: Sequence[str], delimiter: str) -> bool:
    """Return whether a row may be one text with a comma: a blank stands behind it, and no quote beside it."""
    is_quoted = f'"{delimiter}' in line or f'{delimiter}"' in line
    return len(cells) == 2 and cells[1][:1].isspace() and not is_quoted


def _refuse_names(rows: Sequence[Sequence[str]], columns: TextColumns, form: CsvForm) -> None:
    """Refuse a first row of single words above longer texts: it may be a header whose names are not in use.

    Raises:
        RequestError: 400.
    """
    first, below, label = rows[0], rows[1:], columns.roles.label
    has_class = label is not None and label < len(first) and as_label(first[label]) in form.labels
    num_longer = sum(sum(map(num_words, row)) > len(row) for row in below)
    if all(map(_may_be_name, first)) and not has_class and 2 * num_longer > len(below):
        raise bad_csv(
            "The first row has single words above longer texts: it may be a header, but its names are not in use for"
            " the two texts of a pair.",
            "Name the columns text and text_pair; if it is a pair of texts, send text/csv; header=absent.",
        )


def _may_be_name(cell: str) -> bool:
    name = cell.strip().replace("-", "_")
    return len(name) <= _LONGEST_NAME and name.isidentifier()


def _records(table: CsvTable, lines: Lines, form: CsvForm) -> Iterator[Record]:
    """Yield the record of each row.

    Raises:
        RequestError: 400 at the end if most rows may be one text with a comma or have a label where a text should be,
            or all have a number, date or code there.
    """
    labels, values, delimiter = LabelColumns(form.labels), ValueColumns(), table.dialect.delimiter
    num_rows = num_prose = 0
    for line, cells in table.rows(lines):
        if not isinstance(cells, RecordError) and is_filled(cells):
            labels.add_cells(delimiter, cells)
            values.add(fitted(cells, table.columns.width))
            num_rows += 1
            num_prose += _is_prose(line, cells, delimiter)
        yield table.record_of(cells)
    if table.columns is _ALONE:
        _refuse_prose(num_prose, num_rows, form)
        refuse_labels(labels, form)
        _refuse_values(values, form)


def _refuse_prose(num_prose: int, num_rows: int, form: CsvForm) -> None:
    """Raise 400 if most rows may be one text each; among pairs beyond doubt, such a row is one too, as at training."""
    if 2 * num_prose > num_rows:
        raise bad_csv(
            "In most rows a blank stands behind the only delimiter, so that each may be one text, and the model reads"
            " pairs.",
            _SET_COLUMNS if form.is_part else _SEND_COLUMNS,
        )


def _refuse_values(values: ValueColumns, form: CsvForm) -> None:
    """Raise 400 if a column of two holds no texts; a part of a file may have a few such rows by chance."""
    if values.position is None or (form.is_part and values.rows < _ENOUGH_ROWS):
        return
    raise bad_csv(
        f"Column {values.position + 1} of 2 holds only numbers, dates or codes, and the model reads pairs of texts.",
        _SET_COLUMNS if form.is_part else _SEND_COLUMNS,
    )
