"""CSV bodies without a header: rows like training data, whose labels are classes of the model, and other columns."""

import itertools
from collections.abc import Sequence

from bert_classifier.data.csv_looks import LabelColumns, are_columns, cells_of
from bert_classifier.data.csv_table import fitted, used_width
from bert_classifier.data.first_row import MOST_COLUMNS
from bert_classifier.data.header import DELIMITERS
from bert_classifier.data.plausible_roles import is_shifted
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import shapes_of
from bert_classifier.data.text_columns import TextColumns, columns_by_place
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import ABSENT
from bert_classifier.serving.http.body_records import Lines, RecordError
from bert_classifier.serving.http.csv_form import (
    CsvForm,
    as_label,
    bad_csv,
    is_filled,
    without_skipped,
)
from bert_classifier.serving.http.csv_header import FirstRow
from bert_classifier.serving.http.csv_rows import BodyRows
from bert_classifier.serving.http.csv_table import CsvTable, has_swallowed, sampled

_NAME_COLUMNS = "Send a header row that names the columns, or the texts alone"


def read_unnamed(lines: Lines, first: FirstRow, form: CsvForm, max_records: int) -> BodyRows | None:
    """Return the rows of a table without a header; None if not every row has a class of the model where labels are.

    Raises:
        RequestError: 400 when it is not clear which column is the text.
    """
    for delimiter, cells in first.readings:
        if not 1 < len(cells) <= MOST_COLUMNS or form.labels.isdisjoint(map(as_label, cells)):
            continue
        dialect, sample = sampled(lines, ReaderSettings(header="false", delimiter=delimiter))
        rows = sample.rows
        width = used_width(rows) if rows else 0
        for columns in columns_by_place(width, form.fields):
            table = CsvTable(without_skipped(lines, dialect), columns, (), has_swallowed(dialect, sample))
            if _fits(table, lines, form, max_records):
                _refuse_other_text(columns, [fitted(row, width) for row in rows], form)
                without_skipped(lines, dialect)
                label = f"label in column {(columns.roles.label or 0) + 1}"
                return BodyRows(table.records(lines), f"no header, {label}, {columns}")
    return None


def doubt_of(lines: Lines, first: FirstRow, form: CsvForm) -> RequestError | None:
    """Return why rows have several columns of which none is known as the text; None if each row may be a text."""
    is_open = form.header != ABSENT
    for delimiter, cells in first.readings:
        if is_open and form.is_likely_header(cells):
            return bad_csv(
                "The first row looks like a header, which names columns, but it has a class of the model too.",
                "If it is a header, send the Content-Type text/csv; header=present; if it is data, name the columns in"
                " a row before it.",
            )
        if not 1 < len(cells) <= MOST_COLUMNS:
            continue
        _, sample = sampled(lines, ReaderSettings(header="false", delimiter=delimiter))
        quoted = {delimiter, "\n", "\r"}
        is_quoted = first.is_quoted(delimiter) or any(
            not quoted.isdisjoint(cell) for row in sample.rows for cell in row
        )
        if (
            sample.error is None
            and (is_open or is_quoted)
            and are_columns(sample.rows, delimiter, is_quoted=is_quoted)
        ):
            return bad_csv(
                f"All rows have {len(cells)} cells, but neither a header nor labels say which of them is the text.",
                f"{_NAME_COLUMNS}; if each row is one text, quote it as a whole or send text/csv; header=absent.",
            )
    return None


def _refuse_other_text(columns: TextColumns, rows: Sequence[Sequence[str]], form: CsvForm) -> None:
    """Refuse rows whose last column may be another label, a date or an id rather than the text."""
    if _is_told(columns, form):
        return
    roles = columns.roles
    texts = [row[roles.text] for row in rows if row[roles.text].strip()]
    what = ""
    if texts and form.labels.issuperset(map(as_label, texts)):
        what = "the last column holds classes of the model too"
    elif roles.title is not None:
        shapes = shapes_of([""] * columns.width, rows)
        if is_shifted(shapes, roles) or shapes[roles.text].words <= shapes[roles.title].words:
            what = "the last column does not hold longer texts than the one before it"
    if what:
        raise bad_csv(
            f"The rows have a class of the model as their first cell, but {what}.", f"{_NAME_COLUMNS}."
        )


def _is_told(columns: TextColumns, form: CsvForm) -> bool:
    """Return whether the training was told the numbers of these columns."""
    told = dict(form.fields.numbers)
    return told.get("text_column") == str(columns.roles.text + 1)


def _fits(table: CsvTable, lines: Lines, form: CsvForm, max_records: int) -> bool:
    """Return whether each row has the table's width and a class of the model as its label, by name or by number."""
    columns, delimiter = table.columns, table.dialect.delimiter
    at = columns.roles.label
    labels, kinds = LabelColumns(form.labels), set[bool]()
    for text, cells in itertools.islice(table.rows(lines), max_records + 1):
        if isinstance(cells, RecordError):
            return False
        if not is_filled(cells):
            continue
        cells = fitted(cells, columns.width)
        if len(cells) != columns.width or at is None or as_label(cells[at]) not in form.labels:
            return False
        kinds.add(as_label(cells[at]) in form.names)
        if '"' in text:
            labels.add_cells(delimiter, cells)
        else:
            labels.add(cells_of(text, ","))
    if len(kinds) > 1:  # such as 0,1 above names of classes
        return False
    is_told = delimiter not in DELIMITERS or (bool(form.fields.numbers) and columns.width > 2)
    return is_told or labels.is_placed(delimiter)
