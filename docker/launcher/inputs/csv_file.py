"""CSV of texts: a table whose columns are understood, or texts alone, whose rows may hold commas without quotes."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from bert_classifier.data.as_trained import TextFields
from bert_classifier.data.columns import ColumnsError, bare
from bert_classifier.data.dialect import Dialect, Sample, find_dialect, first_lines
from bert_classifier.data.forms import Form, read_form_lines
from bert_classifier.data.header import DELIMITERS, has_header
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError, read_csv_rows
from bert_classifier.data.shapes import Shape
from bert_classifier.data.table import Table, open_table
from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.errors import UserError
from launcher.inputs.text_file import CSV, NO_DELIMITER, TextFile, has_columns, is_plain

_LONGEST_COLUMNS = 1024  # characters that SageMaker takes in a variable
_QUOTED_CELL = re.compile(r'(^|[,;\t|])"([^"]|"")*"[,;\t|]|[,;\t|]"([^"]|"")*"[\r\n]*$')
_BY_POSITION = {1: "text", 2: "label,text", 3: "label,title,text"}


@dataclasses.dataclass(frozen=True)
class _Head:
    """The first rows of a file, and how they are written."""

    lines: Sequence[str]
    dialect: Dialect
    sample: Sample
    has_header: bool | None

    @classmethod
    def of(cls, path: Path, name: str, form: Form, reading: ReaderSettings) -> "_Head":
        lines, is_whole = first_lines(read_form_lines(path, name, form))
        tabs = ".tsv" in path.suffixes or ".tab" in path.suffixes
        dialect, sample = find_dialect(lines, reading, is_whole=is_whole, prefers_tabs=tabs)
        if not sample.rows:
            wrong = sample.error
            raise UserError(
                f"{name} line {wrong.line}: {wrong.cause}." if wrong else f"{name} has no row.",
                (wrong.remedy if wrong else "") or "Leave it out, or give it texts.",
            )
        return cls(lines, dialect, sample, has_header(sample.rows, reading))

    @property
    def width(self) -> int:
        return len(self.sample.rows[0])

    def header_row(self, path: Path) -> str:
        """Return the first row as it stands in the file; "" if it cannot be the value of a variable."""
        with path.open("rb") as file:
            *_, last = itertools.islice(file, self.sample.lines[0])
        row = last.decode("utf-8-sig", "replace").rstrip("\r\n")
        dialect, alone = find_dialect([row], ReaderSettings(header="true"), is_whole=True)
        is_whole = dialect == Dialect() and alone.rows == self.sample.rows[:1]  # as the server will read it
        return row if is_whole and row.isprintable() and len(row) <= _LONGEST_COLUMNS else ""

    def size_of_header(self, path: Path) -> int:
        """Return the bytes before the first row of data."""
        if self.has_header is False:
            return 0
        with path.open("rb") as file:
            return sum(map(len, itertools.islice(file, self.sample.lines[0])))

    @property
    def has_quoted_cells(self) -> bool:
        """Whether quotes show that the rows have several cells."""
        return any(map(_QUOTED_CELL.search, self.lines))

    @property
    def looks_like_data(self) -> bool:
        """Whether rows without a header are labels and texts, rather than texts with commas in them."""
        rows = self.sample.rows
        if self.width < 2 or any(len(row) != self.width for row in rows):
            return False
        if self.has_quoted_cells:
            return True
        behind = sum(any(cell[:1].isspace() for cell in row[1:]) for row in rows)
        return behind < len(rows) / 10 and Shape.of("1", [row[0] for row in rows]).recurs


def look_at_csv(path: Path, name: str, form: Form, reading: ReaderSettings) -> TextFile:
    """Look at a CSV file; raises as look_at."""
    head = _Head.of(path, name, form, reading)
    is_told = has_columns(reading) or bool(reading.delimiter)
    is_named = head.has_header or (head.has_header is None and head.width > 1)
    if not (is_named or is_told or head.looks_like_data):
        return _texts_alone(path, name, form, head)
    table, unclear = None, None
    try:
        table = open_table(path, reading, name=name, needs_label=False)
    except ColumnsError as error:
        unclear = error
    if unclear and not is_named and not is_told and not head.has_quoted_cells:
        return _texts_alone(path, name, form, head)
    request_type = CSV if _is_read(form, head, reading) else ""
    columns = "" if has_columns(reading) else _columns(path, name, form, head, table)
    if columns:
        size = head.size_of_header(path)
        unclear = unclear or _unclear_to_server(name, columns)
        return TextFile(name, path, form, table, CSV, columns, size, request_type, unclear)
    if unclear:
        raise unclear
    if head.width == 1 and not is_told:  # commas belong to the text
        table = open_table(path, _one_cell(reading), name=name, needs_label=False)
    return TextFile(name, path, form, table, "", request_type=request_type)


def _one_cell(reading: ReaderSettings) -> ReaderSettings:
    return dataclasses.replace(reading, delimiter=NO_DELIMITER)


def _texts_alone(path: Path, name: str, form: Form, head: _Head) -> TextFile:
    """Return a file of texts, each of them a row."""
    is_sent = is_plain(form) and not head.dialect.skipped and _is_cut_by_lines(path, name, form, None)
    reading = ReaderSettings(header="false", encoding=form.encoding, delimiter=NO_DELIMITER)
    table = open_table(path, reading, name=name, needs_label=False)
    request_type = CSV if is_plain(form) else ""
    return TextFile(name, path, form, table, CSV if is_sent else "", request_type=request_type)


def _is_read(form: Form, head: _Head, reading: ReaderSettings) -> bool:
    """Return whether the server understands the table by itself."""
    is_default = reading == ReaderSettings(encoding=reading.encoding)
    return is_plain(form) and is_default and head.dialect.delimiter in DELIMITERS


def _columns(path: Path, name: str, form: Form, head: _Head, table: Table | None) -> str:
    """Return the columns of a file whose rows can be sent line by line as they are; "" if they cannot."""
    if not is_plain(form) or head.dialect != Dialect():
        return ""
    is_even = table is None or len(table.names) == head.width  # without empty columns at their end
    if not is_even or not _is_cut_by_lines(path, name, form, head):
        return ""
    return _BY_POSITION.get(head.width, "") if head.has_header is False else head.header_row(path)


def _unclear_to_server(name: str, columns: str) -> ColumnsError | None:
    """Return why a server whose model was trained on other names would not find the text in these columns."""
    try:
        FixedColumns.of(columns, TextFields())
    except ColumnsError as error:
        return ColumnsError(
            f"{name}: {error.cause}", "Or give TEXT_COLUMN=, by which JSON Lines are written."
        )
    return None


def _is_cut_by_lines(path: Path, name: str, form: Form, head: _Head | None) -> bool:
    """Return whether every line of a file is a row, and the server answers each.

    Args:
        head: of a table: a row that repeats its header has no answer where SageMaker cuts before it.
    Raises:
        UserError: where a row is no CSV, or a character not of the encoding.
    """
    with path.open("rb") as file:
        if any(b"\r" in line.rstrip(b"\r\n") for line in file):
            return False
    header = [*map(bare, head.sample.rows[0])] if head and head.has_header is not False else []
    headers = 0
    try:
        for _, cells in read_csv_rows(read_form_lines(path, name, form)):
            if header and len(cells) == len(header) and bare(cells[0]) == header[0]:
                headers += [*map(bare, cells)] == header
            if headers > 1 or any("\n" in cell for cell in cells):
                return False
    except RowError as error:
        raise UserError(f"{name} line {error.line}: {error.cause}.", error.remedy) from error
    return True
