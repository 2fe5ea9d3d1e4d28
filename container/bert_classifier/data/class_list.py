"""The list of classes, one per line, and how to tell labelled data from it. Standard library only."""

import itertools
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from bert_classifier.data.columns import names_both
from bert_classifier.data.labels import normal_label
from bert_classifier.data.records import read_lines
from bert_classifier.errors import UserError, cannot_read

_MAGIC = {b"PAR1": "Parquet", b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive or a spreadsheet"}
_FIRST = 200  # lines that are looked at before the whole file is read
_LONGEST = 200  # characters of a class name
_PROSE = 40  # characters of a line that holds a text
_DELIMITERS = ",;\t|"
_HEADERS = re.compile(
    r"(label|class|category|intent|topic|sentiment|emotion)([\s_-]*name)?s?|classes|categories", re.I
)


def read_class_names(path: Path, name: str = "") -> list[str]:
    """Return the lines of a class file.

    Args:
        name: of the file in messages; its path by default.
    Raises:
        UserError: when it cannot be read, has an empty line or a header, lists fewer than two classes, or holds
            labelled data.
    """
    name = name or str(path)
    _refuse_data(path, name)
    names = [normal_label(line) for line in read_lines(path, name)]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UserError(f"{name} line {names.index('') + 1} is empty.", "List one class per line.")
    _refuse_few(names, name)
    if _HEADERS.fullmatch(names[0]):
        raise UserError(
            f"{name} line 1, {names[0]!r}, looks like a header.",
            "Remove it; a class of that name goes on another line.",
        )
    return names


def _refuse_few(names: Sequence[str], name: str) -> None:
    """Refuse fewer than two lines."""
    if len(names) > 1:
        return
    if names and any(delimiter in names[0] for delimiter in _DELIMITERS):
        raise UserError(f"{name} has all its classes in one line.", "List one class per line.")
    listed = f"only the class {names[0]!r}" if names else "no class"
    raise UserError(
        f"A classifier needs at least two classes, and {name} lists {listed}.", "List one class per line."
    )


def _refuse_data(path: Path, name: str) -> None:
    """Refuse a file whose first lines are labelled data."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise cannot_read(path, error, "Check the file.") from error
    reason = next((f"it is {form}" for magic, form in _MAGIC.items() if head.startswith(magic)), "")
    reason = reason or _sign_of_data(
        [line.strip() for line in itertools.islice(read_lines(path, name), _FIRST)]
    )
    if reason:
        raise UserError(
            f"{name} is no list of classes: {reason}.",
            "List one class per line; without a class file the classes are those of the labels.",
        )


def _sign_of_data(lines: Sequence[str]) -> str:
    """Return why lines cannot be class names; "" where they can."""
    first = lines[0] if lines else ""
    if first.startswith(('{"', "[{", "__label__")) or first in ("{", "["):
        return "its first line is one of labelled data"
    cells = [first.split(delimiter) for delimiter in _DELIMITERS]
    if any(names_both(names) for names in cells):
        return "its first line is the header of a table"
    longest = max(range(len(lines)), key=lambda index: len(lines[index]), default=0)
    if lines and len(lines[longest]) > _LONGEST:
        return f"line {longest + 1} has {len(lines[longest])} characters"
    if any(_is_table(lines, delimiter) for delimiter in _DELIMITERS):
        return "its lines are rows of a table: a label that many share, and a text"
    return ""


def _is_table(lines: Sequence[str], delimiter: str) -> bool:
    """Whether all lines are as long as texts, and their first or last cells repeat."""
    rows = [line.split(delimiter) for line in lines]
    if len(rows) < 4 or any(len(cells) < 2 for cells in rows) or statistics.median(map(len, lines)) < _PROSE:
        return False
    return any(len({cells[position] for cells in rows}) <= len(rows) / 2 for position in (0, -1))
