"""CSV of texts: a table whose columns are understood, or texts alone, whose rows may hold commas without quotes."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bert_classifier.data.columns import ColumnsError, bare
from bert_classifier.data.dialect import Dialect, Sample, find_dialect, first_lines
from bert_classifier.data.forms import Form, read_form_lines
from bert_classifier.data.header import DELIMITERS, has_header
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError, read_csv_rows
from bert_classifier.data.shapes import Shape, quoted_value
from bert_classifier.data.table import Table
from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from launcher.inputs.csv_columns import has_index, only_label, refuse_implausible
from launcher.inputs.text_file import CSV, NO_DELIMITER, TextFile, has_columns, is_plain
from launcher.inputs.text_tables import open_texts

_LONGEST_COLUMNS = 1024  # characters that SageMaker takes in a variable
_QUOTED_CELL = re.compile(r'(^|[,;\t|])"([^"]|"")*"[,;\t|]|[,;\t|]"([^"]|"")*"[\r\n]*$')
_BY_POSITION = {1: "text", 2: "label,text", 3: "label,title,text"}


@dataclasses.dataclass(frozen=True)
class _Csv:
    """A CSV file, its first rows, and how they are written.

    Attributes:
        has_header: None where the first row is neither known as one nor plausible as data.
        is_index: whether only pandas' index tells that there is a header.
    """

    path: Path
    name: str
    form: Form
    reading: ReaderSettings
    lines: Sequence[str]
    dialect: Dialect
    sample: Sample
    has_header: bool | None
    is_index: bool

    @classmethod
    def of(cls, path: Path, name: str, form: Form, reading: ReaderSettings) -> Self:
        """Look at the first rows; raises as look_at_csv."""
        lines, is_whole = first_lines(read_form_lines(path, name, form))
        tabs = ".tsv" in path.suffixes or ".tab" in path.suffixes
        dialect, sample = find_dialect(lines, reading, is_whole=is_whole, prefers_tabs=tabs)
        if not sample.rows:
            wrong = sample.error or RowError(1, "it has no text", "Leave the file out, or give it texts.")
            raise UserError(f"{name} line {wrong.line}: {wrong.cause}.", wrong.remedy)
        header = has_header(sample.rows, reading)
        is_index = header is False and reading.header == "auto" and has_index(sample.rows)
        if is_index:
            reading, header = dataclasses.replace(reading, header="true"), True
        return cls(path, name, form, reading, lines, dialect, sample, header, is_index)

    @property
    def width(self) -> int:
        """Cells of the first row."""
        return len(self.sample.rows[0])

    @property
    def is_named(self) -> bool:
        """Whether the first row names columns, known or not."""
        return bool(self.has_header) or (self.has_header is None and self.width > 1)

    @property
    def is_told(self) -> bool:
        """Whether the settings say that there are columns."""
        return has_columns(self.reading) or bool(self.reading.delimiter)

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

    def table(self, **settings: str) -> Table:
        """Return the file as the reader understands it with these settings, whether or not it has labels."""
        reading = dataclasses.replace(self.reading, **settings)
        return open_texts(self.path, reading, self.name)

    def header_row(self) -> str:
        """Return the first row as it stands in the file; "" if it cannot be the value of a variable."""
        with self.path.open("rb") as file:
            *_, last = itertools.islice(file, self.sample.lines[0])
        row = last.decode("utf-8-sig", "replace").rstrip("\r\n")
        dialect, alone = find_dialect([row], ReaderSettings(header="true"), is_whole=True)
        is_whole = dialect == Dialect() and alone.rows == self.sample.rows[:1]  # as the server will read it
        return row if is_whole and row.isprintable() and len(row) <= _LONGEST_COLUMNS else ""

    def size_of_header(self) -> int:
        """Return the bytes before the first row of data."""
        if self.has_header is False:
            return 0
        with self.path.open("rb") as file:
            return sum(map(len, itertools.islice(file, self.sample.lines[0])))


def look_at_csv(path: Path, name: str, form: Form, reading: ReaderSettings) -> TextFile:
    """Look at a CSV file; raises as look_at."""
    file = _Csv.of(path, name, form, reading)
    is_table = file.is_named or file.is_told
    if not (is_table or file.looks_like_data):
        return _texts_alone(file)
    table, unclear = None, None
    try:
        table = file.table()
    except ColumnsError as error:
        unclear = error
    if not has_columns(file.reading):
        _refuse_without_texts(file, table, unclear)
    return _beside_columns(file, table, unclear) or _to_convert(file, table, unclear)


def _refuse_without_texts(file: _Csv, table: Table | None, unclear: ColumnsError | None) -> None:
    """Refuse columns that no model can tell the text of, or that seem to hold none where places alone tell it."""
    if file.has_header is not False:
        label = only_label(file.sample.rows[0])
        if label:
            cause = f"{file.name} names only the column {shown(label)}, so it has no texts."
            raise UserError(
                cause, f"Give a file with texts; if these are, give text_column={quoted_value(label)}."
            )
    elif unclear:
        raise unclear
    elif table and file.width > 1:
        refuse_implausible(table, file.sample.rows)


def _texts_alone(file: _Csv) -> TextFile:
    """Return a file each of whose rows is a text."""
    is_sent = is_plain(file.form) and not file.dialect.skipped and _is_cut_by_lines(file, None)
    table = file.table(header="false", delimiter=NO_DELIMITER)
    request_type = CSV if is_plain(file.form) else ""
    sent = CSV if is_sent else ""
    return TextFile(file.name, file.path, file.form, table, sent, request_type=request_type)


def _beside_columns(file: _Csv, table: Table | None, unclear: ColumnsError | None) -> TextFile | None:
    """Return a file whose rows can be sent line by line as they are, with their columns; None if they cannot."""
    if not is_plain(file.form) or file.dialect != Dialect() or has_columns(file.reading):
        return None
    is_even = table is None or len(table.names) == file.width  # without empty columns at their end
    header = None if file.has_header is False else file.sample.rows[0]
    if not is_even or not _is_cut_by_lines(file, header):
        return None
    columns = file.header_row() if header else _BY_POSITION.get(file.width, "")
    if not columns:
        return None
    is_paired = table is not None and table.roles.pair is not None
    doubt = unclear or _unclear_to_server(file.name, columns, is_paired=is_paired)
    size = file.size_of_header()
    return TextFile(file.name, file.path, file.form, table, CSV, columns, size, _request_type(file), doubt)


def _to_convert(file: _Csv, table: Table | None, unclear: ColumnsError | None) -> TextFile:
    """Return a table whose texts are written anew.

    Raises:
        ColumnsError: when they are unclear.
    """
    if unclear:
        raise unclear
    if file.width == 1 and not file.is_told:  # commas belong to the text
        table = file.table(delimiter=NO_DELIMITER)
    return TextFile(file.name, file.path, file.form, table, "", request_type=_request_type(file))


def _request_type(file: _Csv) -> str:
    """Return the media type of the file as one request; "" if the server would not understand it by itself."""
    header = "true" if file.is_index else "auto"
    is_default = file.reading == ReaderSettings(encoding=file.reading.encoding, header=header)
    is_read = is_plain(file.form) and is_default and file.dialect.delimiter in DELIMITERS
    return CSV if is_read else ""


def _unclear_to_server(name: str, columns: str, *, is_paired: bool) -> ColumnsError | None:
    """Return why a server whose model was trained on other names would not find the text in these columns."""
    try:
        FixedColumns.of(columns, TextFields(is_paired=is_paired))
    except ColumnsError as error:
        remedy = "Or give TEXT_COLUMN=, by which JSON Lines are written."
        return ColumnsError(f"{name}: {error.cause}", remedy)
    return None


def _is_cut_by_lines(file: _Csv, header: Sequence[str] | None) -> bool:
    """Return whether every line of a file is a row, and the server answers each.

    Args:
        header: of a table: a row that repeats it has no answer where SageMaker cuts before it.
    Raises:
        UserError: where a row is no CSV, or a character not of the encoding.
    """
    with file.path.open("rb") as raw:
        if any(b"\r" in line.rstrip(b"\r\n") for line in raw):
            return False
    names, headers = [*map(bare, header or ())], 0
    try:
        for _, cells in read_csv_rows(read_form_lines(file.path, file.name, file.form)):
            if names and len(cells) == len(names) and bare(cells[0]) == names[0]:
                headers += [*map(bare, cells)] == names
            if headers > 1 or any("\n" in cell for cell in cells):
                return False
    except RowError as error:
        raise UserError(f"{file.name} line {error.line}: {error.cause}.", error.remedy) from error
    return True
