"""Tables in CSV bodies: with a header, as training data without one, or with the columns that a setting gives."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from bert_classifier.data.columns import ColumnsError, bare
from bert_classifier.data.dialect import Dialect
from bert_classifier.data.header import DELIMITERS
from bert_classifier.data.text_columns import FixedColumns, columns_named, header_settings
from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import ABSENT, PRESENT
from bert_classifier.serving.http.body_records import Lines, Record, RecordError
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
    refuse_numbers,
)
from bert_classifier.serving.http.csv_pairs import read_part_of_pairs, read_unnamed_pairs
from bert_classifier.serving.http.csv_rows import RFC_4180, BodyRows, lines_of, row_error, rows_of
from bert_classifier.serving.http.csv_table import CsvTable, has_swallowed, sampled
from bert_classifier.serving.http.csv_unnamed import doubt_of, read_unnamed
from bert_classifier.serving.http.foreign_bodies import refuse_json

ONE_TEXT = "one text per row"


def read_csv(body: bytes, form: CsvForm, max_records: int) -> BodyRows:
    """Return the records of a body.

    A complete body may be a table: with a header, or in whose rows all labels are classes of the model.

    Args:
        max_records: rows up to which a table without a header is looked at.
    Raises:
        RequestError: 400 for a header, labels or columns that leave the text open; for those of a part of a file with
            several rows; from the iterator at the end if most rows that are no table have a label in the same place.
    """
    if form.is_part and form.header != PRESENT and _has_one_row(body, form):
        return _read_one_row(body, form, max_records)
    return _read(body, form, max_records)


def _read(body: bytes, form: CsvForm, max_records: int) -> BodyRows:
    refuse_json(body)
    if form.columns is not None:
        return _with_columns(body, form, form.columns)
    if form.is_part:
        if form.fields.is_paired:
            return read_part_of_pairs(Lines(body), form)
        return BodyRows(texts_of_part(Lines(body), form), ONE_TEXT)
    lines = lines_of(body)
    first = first_row(lines, form.fields.delimiter)
    if not form.header:
        refuse_numbers(first, lines)
    try:
        table = _headed(lines, first, form) or _unnamed(lines, first, form, max_records)
    except ColumnsError as error:
        raise bad_csv(error.cause, error.remedy) from None
    return table or _read_texts(lines, first, form)


def _unnamed(lines: Lines, first: FirstRow, form: CsvForm, max_records: int) -> BodyRows | None:
    if form.fields.is_paired:
        return read_unnamed_pairs(lines, first, form)
    return read_unnamed(lines, first, form, max_records)


def _read_texts(lines: Lines, first: FirstRow, form: CsvForm) -> BodyRows:
    """Return one text per row of what is no table that is understood."""
    if first.is_below_sep and form.header != ABSENT:
        raise bad_csv(
            "The first row is the sep= line of a spreadsheet, but the columns below it are not clear.",
            "Send a header row that names the columns; if it is a text, send text/csv; header=absent.",
        )
    doubt = doubt_of(lines, first, form)
    lines.position = 0
    return BodyRows(_or_refused(texts_of(lines, form), doubt), ONE_TEXT)


def _or_refused(records: Iterator[Record], doubt: RequestError | None) -> Iterator[Record]:
    """Yield records, and raise what is in doubt at the end: what texts_of raises there says more."""
    yield from records
    if doubt is not None:
        raise doubt


def _has_one_row(body: bytes, form: CsvForm) -> bool:
    dialect = Dialect(form.columns.delimiter) if form.columns else RFC_4180
    return len(list(itertools.islice(rows_of(Lines(body), dialect), 2))) == 1


def _read_one_row(body: bytes, form: CsvForm, max_records: int) -> BodyRows:
    """Read a part of a file that is one row: what is wrong with it is its answer, and fails no batch transform."""
    try:
        rows = _read(body, form, max_records)
        return dataclasses.replace(rows, records=iter(list(rows.records)))
    except RequestError as error:
        return BodyRows(iter([row_error(error)]), ONE_TEXT)


def _with_columns(body: bytes, form: CsvForm, fixed: FixedColumns) -> BodyRows:
    """Read a body by the columns of a setting; a first row that names them is left out."""
    lines = Lines(body)
    columns, understood = fixed.columns, f"columns as set, {fixed.columns}"
    if form.header != ABSENT or columns.width > 1:
        first = first_cells(lines, Dialect(fixed.delimiter))
        is_header = fixed.is_named_by(first)
        if first and not is_header:
            _refuse_other_header(first, form)
        lines.position = lines.position if is_header else 0
    if columns.width == 1:
        return BodyRows(texts_of(lines, form), understood)
    return BodyRows(CsvTable(Dialect(fixed.delimiter), columns, fixed.names).records(lines), understood)


def _refuse_other_header(first: Sequence[str], form: CsvForm) -> None:
    """Refuse a first row that is a header, announced or by its looks, but not that of the setting."""
    if form.header == PRESENT and not form.is_part:
        raise bad_csv(
            "The header is announced, but it is not that of SERVING_CSV_COLUMNS.",
            "Send these columns, or change the setting.",
        )
    names = first[0].split(",") if len(first) == 1 else first
    if form.header != ABSENT and form.is_likely_header(names) and not form.has_class(names):
        raise bad_csv(
            "The first row looks like a header, but it is not that of SERVING_CSV_COLUMNS.",
            "Send these columns, or change the setting; if it is data, send text/csv; header=absent.",
        )


def _headed(lines: Lines, first: FirstRow, form: CsvForm) -> BodyRows | None:
    """Return the rows below a header; None if the first row is not announced as one and does not look like one."""
    if form.header == ABSENT:
        return None
    likely = likely_delimiters(first, form)
    if not likely and form.header != PRESENT:
        return None
    others = [delimiter for delimiter in likely if delimiter not in DELIMITERS]
    dialect, sample = sampled(lines, header_settings(form.fields, others[0] if others else ""))
    dialect = without_skipped(lines, dialect)
    header = next((cells for _, cells in rows_of(lines, dialect) if is_filled(cells)), [])
    if isinstance(header, RecordError):
        raise bad_csv(f"The header row cannot be read ({header.error}).", "Correct the row.")
    names = [name.strip().removeprefix("\ufeff") for name in header]
    if len(names) == 1 and not form.fields.is_paired:
        check_only_name(names, form)
    if form.header != PRESENT:
        refuse_doubtful(sample, form)
    if len(names) < 2 and not form.fields.is_paired:
        return BodyRows(texts_of(lines, form), "header, one text per row")
    columns = columns_named(names, form.fields)
    table = CsvTable(dialect, columns, tuple(map(bare, names)), has_swallowed(dialect, sample))
    return BodyRows(table.records(lines), f"header, {columns}")
