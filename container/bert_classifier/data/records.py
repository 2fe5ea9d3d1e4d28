"""Read rows of CSV (RFC 4180) and JSON Lines, with the line on which each starts, from files and request bodies.

Standard library only. The caller decides how to treat an invalid row.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.json_files import json_kind

MAX_FIELD_CHARS = 16 * 1024 * 1024  # a longer cell means that a quote was never closed
MAX_JSON_DEPTH = 32
_JSON_STRING = re.compile(r'"[^"]*"?')
_BRACKET = re.compile(r"[\[\]{}]")


class CsvRow(NamedTuple):
    """One CSV row: the line it starts on (from 1) and its cells."""

    line: int
    cells: list[str]


class JsonRow(NamedTuple):
    """One JSON Lines row: its line (from 1) and the decoded value."""

    line: int
    value: Any


class RowError(UserError):
    """A row that cannot be read; `line` is where it starts."""

    def __init__(self, line: int, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.line = line


def read_csv_rows(lines: Iterable[str], **dialect: Any) -> Iterator[CsvRow]:
    """Yield the rows of CSV text; a blank line is a row without cells.

    Args:
        lines: physical lines with their line ends, split at \\n, \\r\\n or \\r only.
        dialect: options of csv.reader, such as delimiter; RFC 4180 by default.
    Raises:
        RowError: at the first row with an open quote, text after a closing quote, a NUL or a giant cell.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    reader = csv.reader(lines, strict=True, **dialect)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _csv_error(start, str(error)) from error
        if any("\0" in cell for cell in cells):
            raise RowError(start, "it holds a NUL character", "Save the file as plain UTF-8 text.")
        yield CsvRow(start, cells)


def _csv_error(line: int, message: str) -> RowError:
    if "unexpected end of data" in message:
        return RowError(
            line,
            "a quote opened in this row is never closed",
            'Close it, or double a quote inside a text: "".',
        )
    if "field larger" in message:
        return RowError(
            line,
            f"a cell is longer than {MAX_FIELD_CHARS:,} characters",
            "Most likely a quote is not closed: look there.",
        )
    return RowError(
        line, f"it is not valid CSV ({message})", 'Quote the whole cell, and double a quote inside it: "".'
    )


def read_json_rows(lines: Iterable[str]) -> Iterator[JsonRow | RowError]:
    """Yield the value of each line that is not blank, or the error in it."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield JsonRow(number, parse_json(line))
            except ValueError as error:
                yield RowError(number, f"it is not valid JSON ({error})", "Write one JSON value per line.")


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: for a syntax error, NaN or Infinity, a name given twice, or nesting beyond MAX_JSON_DEPTH.
    """
    _check_depth(text)
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_names)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive parser meets it, ignoring brackets inside strings."""
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    depth = 0
    for bracket in _BRACKET.finditer(_JSON_STRING.sub("", unescaped)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"nested deeper than {MAX_JSON_DEPTH} levels")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object names the same field twice")
    return value


def read_lines(path: Path, name: str = "") -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their line ends; a byte order mark is dropped.

    Args:
        name: of the file in messages; its path by default.
    Raises:
        UserError: when it is not UTF-8; the message gives the offset of the first invalid byte.
        PlatformError: when disk or permissions prevent reading it.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            first = file.readline().removeprefix("\ufeff")
            if first:
                yield first
            yield from file
    except UnicodeDecodeError as error:
        raise _encoding_error(path, name or str(path)) from error
    except OSError as error:
        raise cannot_read(path, error, "Check the file.") from error


def _encoding_error(path: Path, name: str) -> UserError:
    """Return the error with the first position that is not UTF-8, and the likely encoding."""
    offset, line = 0, 1
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        for raw in file:
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                offset += error.start
                break
            offset += len(raw)
            line += 1
    guess = "UTF-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "Latin-1 or Windows-1252"
    return UserError(
        f"{name} is not UTF-8 at byte {offset} (line {line}); it may be {guess}.",
        "Save the file as UTF-8, such as with: iconv -f FROM -t UTF-8.",
    )


def text_problem(text: object) -> str | None:
    """Return why a value cannot be classified as a text, or None if it can."""
    if not isinstance(text, str):
        return f"the text must be a string, not {json_kind(text)}"
    if not text.strip():
        return "the text is empty"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "the text holds half of a surrogate pair"
    return None


def refuse_rows(wrong: Sequence[str], hint: str = "") -> None:
    """Raise one UserError for the records that cannot be used, if any.

    Args:
        wrong: "place: reason" for each; those with the same reason are grouped.
        hint: appended to the remedy.
    """
    rows = WrongRows()
    for record in wrong:
        place, separator, reason = record.partition(": ")
        rows.add(place if separator else "", reason if separator else record)
    rows.refuse(hint)
