"""Records that name their fields, one at a time: JSON Lines, a JSON array, Parquet, and fastText's lines.

Standard library only, until a Parquet file is read.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bert_classifier.data.fasttext import split_labels
from bert_classifier.data.forms import Form, Kind, read_form_chunks, read_form_lines
from bert_classifier.data.parquet import open_parquet
from bert_classifier.data.records import MAX_FIELD_CHARS, RowError, parse_json, read_json_rows
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

Record = Mapping[str, Any]
_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_NO_LABEL = "it does not begin with __label__"
_CHUNK = 1 << 20  # characters
_ARRAY_REMEDY = 'Write a list of objects, [{"label": "…", "text": "…"}, …], or one object per line.'


class RecordSource(Protocol):
    """A file of records.

    Attributes:
        notes: what is unusual about it.
    """

    notes: Sequence[str]

    def __init__(self, path: Path, name: str, form: Form) -> None: ...

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the place of each record, from 1, and its fields or what is wrong with it."""
        ...


class JsonLines:
    """One object per line."""

    def __init__(self, path: Path, name: str, form: Form) -> None:
        self._path, self._name, self._form = path, name, form
        self.notes: Sequence[str] = ()

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the line of each record and its fields; raises as read_form_lines."""
        for row in read_json_rows(read_form_lines(self._path, self._name, self._form)):
            if isinstance(row, RowError):
                yield row.line, row
            else:
                yield row.line, _object(row.line, row.value)


class JsonArray:
    """One array of objects, read piece by piece."""

    def __init__(self, path: Path, name: str, form: Form) -> None:
        self._path, self._name, self._form = path, name, form
        self.notes: Sequence[str] = ()

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the number of each record and its fields; raises a UserError where the array is broken."""
        for number, text in enumerate(self._elements(), start=1):
            try:
                value = parse_json(text)
            except ValueError as error:
                yield number, RowError(number, f"it is not valid JSON ({error})")
            else:
                yield number, _object(number, value)

    def _elements(self) -> Iterator[str]:
        """Yield the text of each element, holding one chunk of the file at a time."""
        chunks = read_form_chunks(self._path, self._name, self._form, _CHUNK)
        buffer = next(chunks, "").lstrip("\ufeff \t\r\n")[1:]
        position = number = 0
        while True:
            position = _first_behind(buffer, position)
            if buffer[position : position + 1] == "]":
                if buffer[position + 1 :].strip() or any(map(str.strip, chunks)):
                    raise UserError(f"{self._name} goes on behind its JSON array.", _ARRAY_REMEDY)
                return
            end, wrong = _end_of_value(buffer, position)
            if end < len(buffer):
                number += 1
                yield buffer[position:end]
                position = end
                continue
            more = next(chunks, "")  # the value may be cut off
            if not more or len(buffer) - position > MAX_FIELD_CHARS:
                raise self._broken(number + 1, wrong)
            buffer, position = buffer[position:] + more, 0

    def _broken(self, number: int, wrong: str) -> UserError:
        reason = f"is not valid JSON ({wrong})" if wrong else "is the last: the array is not closed"
        return UserError(f"{self._name}: record {number} of the JSON array {reason}.", _ARRAY_REMEDY)


class FastText:
    """Lines of `__label__NAME text`, or of several labels before a text."""

    def __init__(self, path: Path, name: str, form: Form) -> None:
        self._path, self._name, self._form = path, name, form
        self.notes: Sequence[str] = ()

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the line of each record with its labels and text; raises as read_form_lines."""
        for number, line in enumerate(read_form_lines(self._path, self._name, self._form), start=1):
            if line.strip():
                yield number, _fasttext(number, line)


class FastTextTexts(FastText):
    """The texts of fastText's lines, whatever labels stand before them: each line is a record, also a blank one."""

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the line of each record with its labels and text; raises as read_form_lines."""
        for number, line in enumerate(read_form_lines(self._path, self._name, self._form), start=1):
            labels, text = split_labels(line)
            is_other = text and not labels
            record = {"label": " ".join(labels), "text": text}
            yield number, RowError(number, _NO_LABEL) if is_other else record


class Parquet:
    """Rows of a Parquet file; numbers of Hugging Face's classes become their names."""

    def __init__(self, path: Path, name: str, form: Form) -> None:
        self._file = open_parquet(path, name)
        twice = [column for column, times in Counter(self._file.columns).items() if times > 1]
        if twice:
            raise UserError(f"{name} has several columns called {shown(twice[0])}.", "Rename all but one.")
        named = ", ".join(shown(column) for column in self._file.class_names)
        self.notes: Sequence[str] = (
            (f"the classes' names of {named} are those in its metadata",) if named else ()
        )

    def records(self) -> Iterator[tuple[int, Record | RowError]]:
        """Yield the number of each row and its values by column; raises as ParquetFile.rows."""
        columns, class_names = self._file.columns, self._file.class_names
        for number, row in enumerate(self._file.rows(), start=1):
            record = dict(zip(columns, row, strict=True))
            for column, names in class_names.items():
                record[column] = _class_name(names, record[column])
            yield number, record


def _class_name(names: Sequence[str], value: Any) -> Any:
    """Return the class of a number, None for the missing one, of a list those of its numbers; others as they are."""
    if isinstance(value, list):
        return [_class_name(names, one) for one in value]
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None if value == -1 else value


SOURCES: Mapping[Kind, type[RecordSource]] = {
    "JSON Lines": JsonLines,
    "JSON array": JsonArray,
    "Parquet": Parquet,
    "fastText": FastText,
}


def source_of(kind: Kind, *, needs_label: bool) -> type[RecordSource]:
    """Return what reads a form's records."""
    return FastTextTexts if kind == "fastText" and not needs_label else SOURCES[kind]


def _object(place: int, value: Any) -> Record | RowError:
    return value if isinstance(value, dict) else RowError(place, "it is not a JSON object")


def _fasttext(number: int, line: str) -> Record | RowError:
    labels, text = split_labels(line)
    if not labels:
        return RowError(number, _NO_LABEL)
    if any("," in label for label in labels):
        return RowError(number, "a comma follows its label: fastText puts a blank there")
    return {"label": labels[0] if len(labels) == 1 else labels, "text": text}


def _first_behind(buffer: str, position: int) -> int:
    """Return the position behind blanks and a comma."""
    match = _BETWEEN.match(buffer, position)
    return match.end() if match else position


def _end_of_value(buffer: str, position: int) -> tuple[int, str]:
    """Return where a JSON value ends, and "", or the end of the buffer and why it is not one."""
    if position == len(buffer):
        return position, ""
    try:
        return _DECODER.raw_decode(buffer, position)[1], ""
    except (ValueError, RecursionError) as error:
        return len(buffer), str(error)
