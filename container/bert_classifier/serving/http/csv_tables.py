"""Tables in CSV bodies: with a header, as training data without one, or with the columns that a setting gives."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from bert_classifier.data.columns import ColumnsError, bare
from bert_classifier.data.csv_looks import LabelColumns
from bert_classifier.data.csv_table import fitted, used_width
from bert_classifier.data.dialect import Dialect, Sample, find_dialect, first_lines
from bert_classifier.data.first_row import MOST_COLUMNS
from bert_classifier.data.header import DELIMITERS
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import shapes_of
from bert_classifier.data.table_base import is_shifted
from bert_classifier.data.text_columns import (
    FixedColumns,
    TextColumns,
    columns_by_place,
    columns_named,
    header_settings,
)
from bert_classifier.job.answer_form import ABSENT, PRESENT
from bert_classifier.job.wording import counted
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record
from bert_classifier.serving.http.csv_form import (
    CsvForm,
    bad_csv,
    first_cells,
    is_filled,
    texts_of,
    texts_of_part,
    without_skipped,
)
from bert_classifier.serving.http.csv_header import (
    FirstRow,
    check_only_name,
    first_row,
    likely_delimiters,
    refuse_doubtful,
)
from bert_classifier.serving.http.csv_rows import BodyRows, CsvLine, lines_of, of_csv, rows_of
from bert_classifier.serving.http.foreign_bodies import refuse_json

ONE_TEXT = "one text per row"
_SAMPLE_LINES = 200
_LONGEST_NAME = 100  # characters, of a column that a row may repeat
_PLURALS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_csv(body: bytes, form: CsvForm, max_records: int) -> BodyRows:
    """Return the records of a body.

    A complete body may be a table: with a header, or in whose rows all labels are classes of the model.

    Args:
        max_records: rows up to which a table without a header is looked at.
    Raises:
        RequestError: 400 for a header, or for labels, that leave the text open; for those of a part of a file; from
            the iterator at the end if most rows that are no table have a label in the same place.
    """
    refuse_json(body)
    if form.columns is not None:
        return _with_columns(body, form, form.columns)
    if form.is_part:
        return BodyRows(texts_of_part(Lines(body), form), ONE_TEXT)
    lines = lines_of(body)
    first = first_row(lines, form.fields.delimiter)
    try:
        table = _headed(lines, first, form) or _unnamed(lines, first, form, max_records)
    except ColumnsError as error:
        raise bad_csv(error.cause, error.remedy) from None
    if table is None:
        if first.is_below_sep and form.header != ABSENT:
            raise bad_csv(
                "The first row is the sep= line of a spreadsheet, but the columns below it are not clear.",
                "Send a header row that names the columns; if it is a text, send text/csv; header=absent.",
            )
        lines.position = 0
        table = BodyRows(texts_of(lines, form), ONE_TEXT)
    return table


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """How to read the rows of a table.

    Attributes:
        names: of the columns, without case and separators; empty without a header.
        may_swallow: see rows_of.
    """

    dialect: Dialect
    columns: TextColumns
    names: tuple[str, ...] = ()
    may_swallow: bool = False

    def records(self, lines: Lines) -> Iterator[Record]:
        """Yield the record of each row from where the lines are."""
        return (self._record(cells) for _, cells in self.rows(lines))

    def rows(self, lines: Lines) -> Iterator[CsvLine]:
        """Yield each row from where the lines are."""
        return rows_of(lines, self.dialect, may_swallow=self.may_swallow)

    def _record(self, cells: list[str] | RecordError) -> Record:
        """Return the record of a row, or what is wrong with it."""
        columns = self.columns
        if isinstance(cells, RecordError):
            return cells
        if not is_filled(cells):
            return text_record("")
        if len(cells) != columns.width:
            cells = fitted(cells, columns.width)
            if len(cells) != columns.width:
                return RecordError(self._wrong_width(len(cells)))
        if self._repeats_header(cells):
            return RecordError("the row repeats the header: files seem to have been joined")
        return text_record(columns.text_of(cells))

    def _wrong_width(self, width: int) -> str:
        delimiters = _PLURALS.get(self.dialect.delimiter, "delimiters")
        quote = f": quote a text that has {delimiters}" if width > self.columns.width else ""
        return f"the row has {counted(width, 'cell')} instead of {self.columns.width}{quote}"

    def _repeats_header(self, cells: Sequence[str]) -> bool:
        is_short = len(self.names) > 1 and max(map(len, cells)) <= _LONGEST_NAME
        return is_short and tuple(map(bare, cells)) == self.names


def _with_columns(body: bytes, form: CsvForm, fixed: FixedColumns) -> BodyRows:
    """Read a body by the columns of a setting; a first row that names them is left out."""
    lines = Lines(body)
    dialect, columns = Dialect(fixed.delimiter), fixed.columns
    if form.header != ABSENT or columns.width > 1:
        first = first_cells(lines, dialect)
        is_header = fixed.is_named_by(first)
        if form.header == PRESENT and first and not is_header and not form.is_part:
            raise bad_csv(
                "The header is announced, but it is not that of SERVING_CSV_COLUMNS.",
                "Send these columns, or change the setting.",
            )
        lines.position = lines.position if is_header else 0
    if columns.width == 1:
        return BodyRows((row.record for row in of_csv(lines)), f"columns as set, {columns}")
    table = _Table(dialect, columns, fixed.names)
    return BodyRows(table.records(lines), f"columns as set, {columns}")


def _sampled(lines: Lines, settings: ReaderSettings) -> tuple[Dialect, Sample]:
    """Return the dialect of the first rows, and the rows."""
    lines.position = 0
    first, is_whole = first_lines(itertools.islice(lines, _SAMPLE_LINES))
    return find_dialect(first, settings, is_whole=is_whole and len(first) < _SAMPLE_LINES)


def _swallows(dialect: Dialect, sample: Sample) -> bool:
    """Return whether cells with tabs and line ends between tabs are as they should be."""
    return any(map(dialect.swallows, sample.rows))


def _headed(lines: Lines, first: FirstRow, form: CsvForm) -> BodyRows | None:
    """Return the rows below a header; None if the first row is not announced as one and does not look like one."""
    if form.header == ABSENT:
        return None
    likely = likely_delimiters(first, form)
    if not likely and form.header != PRESENT:
        return None
    others = [delimiter for delimiter in likely if delimiter not in DELIMITERS]
    dialect, sample = _sampled(lines, header_settings(form.fields, others[0] if others else ""))
    dialect = without_skipped(lines, dialect)
    header = next((cells for _, cells in rows_of(lines, dialect) if is_filled(cells)), [])
    if isinstance(header, RecordError):
        raise bad_csv(f"The header row cannot be read ({header.error}).", "Correct the row.")
    if form.header != PRESENT:
        refuse_doubtful(sample, form)
    names = [name.strip().removeprefix("\ufeff") for name in header]
    if len(names) < 2:
        if names:
            check_only_name(names, form)
        return BodyRows(texts_of(lines, form), "header, one text per row")
    columns = columns_named(names, form.fields)
    table = _Table(dialect, columns, tuple(map(bare, names)), _swallows(dialect, sample))
    return BodyRows(table.records(lines), f"header, {columns}")


def _unnamed(lines: Lines, first: FirstRow, form: CsvForm, max_records: int) -> BodyRows | None:
    """Return the rows of a table without a header; None if not every row has a class of the model where labels are."""
    for delimiter, cells in first.readings:
        if not 1 < len(cells) <= MOST_COLUMNS or form.labels.isdisjoint(map(_as_label, cells)):
            continue
        dialect, sample = _sampled(lines, ReaderSettings(header="false", delimiter=delimiter))
        rows = sample.rows
        width = used_width(rows) if rows else 0
        for columns in columns_by_place(width, form.fields):
            table = _Table(without_skipped(lines, dialect), columns, (), _swallows(dialect, sample))
            if not _looks_shifted(columns, rows) and _fits(table, lines, form, max_records):
                without_skipped(lines, dialect)
                label = f"label in column {(columns.roles.label or 0) + 1}"
                return BodyRows(table.records(lines), f"no header, {label}, {columns}")
    return None


def _as_label(cell: str) -> str:
    return cell.strip(" ").casefold()


def _looks_shifted(columns: TextColumns, rows: Sequence[list[str]]) -> bool:
    """Return whether three columns do not look like label, title and text."""
    roles, width = columns.roles, columns.width
    if roles.title is None or roles.is_title_joined:
        return False
    same = [row for row in (fitted(row, width) for row in rows) if len(row) == width]
    return is_shifted(shapes_of([""] * width, same), roles)


def _fits(table: _Table, lines: Lines, form: CsvForm, max_records: int) -> bool:
    """Return whether each row has the table's width and a class of the model as its label."""
    columns, delimiter = table.columns, table.dialect.delimiter
    at = columns.roles.label
    labels = LabelColumns(form.labels)
    for text, cells in itertools.islice(table.rows(lines), max_records + 1):
        if isinstance(cells, RecordError):
            return False
        if not is_filled(cells):
            continue
        cells = fitted(cells, columns.width)
        if len(cells) != columns.width or at is None or _as_label(cells[at]) not in form.labels:
            return False
        if '"' in text:
            labels.add_cells(delimiter, cells)
        else:
            labels.add(text.split(","))
    is_told = delimiter not in DELIMITERS or (bool(form.fields.numbers) and columns.width > 2)
    return is_told or bool(labels.place)
