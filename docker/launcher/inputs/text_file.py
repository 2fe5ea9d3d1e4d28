"""A local file of texts, understood by the reader of training data: what it holds, and how it can be sent."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from bert_classifier.data.columns import Roles
from bert_classifier.data.dialect import delimiter_name
from bert_classifier.data.forms import Form, read_form_lines
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError, text_problem
from bert_classifier.data.roles import pair_doubts
from bert_classifier.data.shapes import spoken_name
from bert_classifier.data.table import Table, TextRow
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import UserError
from launcher.settings.inference import MEDIA_TYPES

JSON, JSON_LINES, CSV, PLAIN = (MEDIA_TYPES[suffix] for suffix in (".json", ".jsonl", ".csv", ".txt"))
NO_DELIMITER = "\x1f"  # ASCII's separator of units, which no text has: a row is one cell
_ALONE = Roles(None, 0)  # of a text per line
# Rows without a text and rows that cannot be read are answered with an error of their own, so that answers and rows
# stay side by side: "the text is empty", and "the text must be a string, not null".
_WITHOUT_TEXT, _WITHOUT_PAIR, _UNREAD = '{"text": ""}', '{"text": "", "text_pair": ""}', "null"


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A local file of texts.

    Attributes:
        form: None where the reader does not know it: a JSON document of the server's own.
        table: of its columns or fields; None where each line is a text or a JSON value.
        media_type: by which a batch transform can send it line by line (or as a document); "" if it cannot.
        columns: of CSV, as one row; "" for texts alone.
        header_size: bytes before the first row of texts.
        request_type: media type by which the server reads the whole file as one request; "" if it does not.
        unclear: why reader (without a table) or server may not know which of the columns is the text.
    """

    name: str
    path: Path
    form: Form | None
    table: Table | None
    media_type: str
    columns: str = ""
    header_size: int = 0
    request_type: str = ""
    unclear: UserError | None = None

    def records(self) -> Iterator[tuple[int, str | RowError]]:
        """Yield the line of each row and its record in JSON, or why it has no text.

        Raises:
            UserError: where reading cannot go on, or if it is unclear which column is the text.
        """
        if self.unclear and self.table is None:
            raise self.unclear
        assert self.form is not None, "what the reader does not know is sent as it is"
        if self.table:
            roles = self.table.roles
            for row in self.table.texts():
                yield row.line, row if isinstance(row, RowError) else _record(row, roles)
            return
        for line, content in enumerate(read_form_lines(self.path, self.name, self.form), start=1):
            plain = content.rstrip("\r\n")
            yield line, plain if self.form.kind == "JSON Lines" else _record(TextRow(line, plain, ""), _ALONE)

    @property
    def doubts(self) -> list[str]:
        """What to say of a second column that a model of pairs would need, and that the file's records lack."""
        table = self.table
        found = pair_doubts(table.names, table.roles, table.settings) if table else []
        return [f"{self.name}: {doubt}" for doubt in found if "text_pair_column" in doubt]

    def line_of(self, record: str | RowError) -> str:
        """Return the line of JSON Lines that stands for a record, also for one without a text."""
        if not isinstance(record, RowError):
            return record
        is_paired = self.table is not None and self.table.roles.pair is not None
        without = _WITHOUT_PAIR if is_paired else _WITHOUT_TEXT
        return without if is_empty(record) else _UNREAD

    @property
    def is_alone(self) -> bool:
        """Whether each row is a text, whatever it holds."""
        table = self.table
        return table is not None and table.delimiter == NO_DELIMITER and table.has_header is False

    @property
    def description(self) -> str:
        """What was understood, such as "CSV with ';' between cells; text: review; label: stars, ignored"."""
        if self.form is None:
            return "a JSON document"
        if self.unclear and self.table is None:
            return f"{self.form.kind} with a header whose text the model must know"
        if self.table is None:
            lines = "JSON Lines" if self.form.kind == "JSON Lines" else "lines of text"
            return f"{_packed(self.form)}{lines}{_encoding(self.form)}"
        return "; ".join([_form(self.table), *_roles(self.table)])


def error_of(row: TextRow) -> RowError | None:
    """Return why the text of a row cannot be classified; None if it can."""
    parts = (row.text.first, row.text.second) if isinstance(row.text, TextPair) else (row.text,)
    problem = next(filter(None, map(text_problem, parts)), None)
    return RowError(row.line, problem) if problem else None


def is_empty(error: RowError) -> bool:
    """Return whether a row is in order but for its text."""
    return error.cause == text_problem("")


def _record(row: TextRow, roles: Roles) -> str | RowError:
    """Return the record of a row as a model reads it that may know titles.

    Where it puts them before the text, an object without a title is an error; a string is the whole text.
    """
    error = error_of(row)
    if error:
        return error
    if isinstance(row.text, TextPair):
        return json.dumps({"text": row.text.first, "text_pair": row.text.second}, ensure_ascii=False)
    if roles.is_title_joined:
        return json.dumps(row.text, ensure_ascii=False)
    title = {} if roles.title is None else {"title": row.title}
    return json.dumps({"text": row.text, **title}, ensure_ascii=False)


def _form(table: Table) -> str:
    is_named = table.delimiter not in ("", ",", NO_DELIMITER)
    cells = f" with {delimiter_name(table.delimiter)} between cells" if is_named else ""
    header = ""
    if table.has_header is False:
        header = " without a header" if len(table.names) > 1 else ", a text per row"
    return f"{_packed(table.form)}{table.form.kind}{cells}{header}{_encoding(table.form)}"


def _packed(form: Form) -> str:
    return "gzipped " if form.is_gzip else ""


def _encoding(form: Form) -> str:
    return f" in {form.encoding_name}" if form.encoding not in ("", "utf-8", "utf-8-sig") else ""


def _roles(table: Table) -> Iterator[str]:
    roles = table.roles
    names = [spoken_name(name, at) for at, name in enumerate(table.names)]
    if table.has_header is False:
        names = [f"column {name}" for name in names]
    if len(names) > 1 or table.has_header:
        yield f"text: {names[roles.text]}"
    if roles.pair is not None:
        yield f"second text: {names[roles.pair]}"
    if roles.title is not None:
        place = "before the text" if roles.is_title_joined else "where the text is empty"
        yield f"title: {names[roles.title]}, {place}"
    if roles.label is not None:
        yield f"label: {names[roles.label]}, ignored"


def is_plain(form: Form) -> bool:
    """Return whether the server reads a form's characters: UTF-8, not compressed."""
    return not form.is_gzip and form.encoding in ("utf-8", "utf-8-sig")


def has_columns(reading: ReaderSettings) -> bool:
    """Return whether the settings tell which columns hold text and title."""
    return bool(reading.text_column or reading.text_pair_column or reading.title_column)
