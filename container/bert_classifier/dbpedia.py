"""The worked example: DBpedia-14 as a Dataset and a label mapper. Copy this file for your own data.

Reads JSON Lines and CSV with named columns. Without a header row, the columns of CSV are `class_index,title,abstract`
or `label,text`.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from bert_classifier.data.columns import (
    COLUMNS,
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    TITLE_COLUMN,
    canonical,
    is_header,
    other_form,
)
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from bert_classifier.label_mapper import LabelMapperBase
from bert_classifier.records import (
    RowError,
    read_csv_rows,
    read_json_rows,
    read_lines,
    refuse_rows,
    text_problem,
)

logger = logging.getLogger(__name__)

_MOST_SHOWN = 10
_HEADERLESS = {2: ("label", "text"), 3: ("label", TITLE_COLUMN, "text")}


class DbpediaDataset(Dataset[tuple[str, str]]):
    """Labelled texts: item i is (text, raw label), as in the files.

    The text is the abstract or, where that is empty, the title. Rows with neither are left out and counted.

    Args:
        files: CSV and JSON Lines files; their rows are numbered in this order.
    Raises:
        UserError: naming file, line and reason of the first rows that cannot be used.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._items: list[tuple[str, str]] = []
        self._places: list[tuple[int, int]] = []  # (file, line) of each item
        self._files = list(files)
        self.num_empty = 0
        wrong: list[str] = []
        # Report a file that is entirely wrong before reading any file to its end.
        for path in self._files[1:]:
            next(_rows_of(path), None)
        for number, path in enumerate(self._files):
            for line, row in _rows_of(path):
                reason = row if isinstance(row, str) else self._add(row, (number, line))
                if reason:
                    wrong.append(f"{path.name} line {line}: {reason}")
        refuse_rows(wrong)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[str, str]:
        return self._items[index]

    def place_of(self, index: int) -> str:
        """Return the file and line of item `index`, such as "train.csv line 3"."""
        file, line = self._places[index]
        return f"{self._files[file].name} line {line}"

    def _add(self, row: Mapping[str, str], place: tuple[int, int]) -> str | None:
        """Add a row, or return what is wrong with it."""
        label = row["label"].strip()
        if not label:
            return "the label is empty"
        text = row["text"] if row["text"].strip() else row.get(TITLE_COLUMN, "")
        if not text.strip():
            self.num_empty += 1
            return None
        self._items.append((text, label))
        self._places.append(place)
        return text_problem(text)


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield (line, the row by column name) or (line, what is wrong with it)."""
    if path.suffix.lower() == ".jsonl":
        yield from _json_rows(path)
        return
    try:
        yield from _csv_rows(path)
    except RowError as error:
        raise UserError(f"{path.name} line {error.line}: {error.cause}.", error.remedy) from error


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    columns: tuple[str, ...] | None = None
    for line, cells in read_csv_rows(read_lines(path)):
        if not cells:
            continue
        if columns is None:
            columns, is_named = _columns_of(path, line, cells)
            if is_named:
                continue
        if len(cells) != len(columns):
            yield line, f"it has {len(cells)} cells instead of {len(columns)}"
        else:
            yield line, dict(zip(columns, cells, strict=True))


def _columns_of(path: Path, line: int, cells: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return the columns that a file's first row implies, and whether that row is a header."""
    columns = tuple(canonical(cell) for cell in cells)
    if not is_header(cells):
        if other := other_form(cells):
            raise UserError(f"{path.name} line {line}: {other[0]}.", other[1])
        if len(cells) in _HEADERLESS:
            return _HEADERLESS[len(cells)], False
        raise UserError(
            f"{path.name} line {line}: {len(cells)} column(s) and no header row.",
            "Name the columns in the first row, or give class_index,title,abstract or label,text.",
        )
    for wanted, known in (("label", LABEL_COLUMNS), ("text", TEXT_COLUMNS)):
        if columns.count(wanted) != 1:
            raise UserError(
                f"{path.name} line {line}: the header has {columns.count(wanted)} columns for the {wanted}.",
                f"Name exactly one column {' or '.join(known)}.",
            )
    return columns, True


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    for row in read_json_rows(read_lines(path)):
        if isinstance(row, RowError):
            yield row.line, row.cause
        else:
            yield row.line, _object_row(row.value)


def _object_row(value: Any) -> dict[str, str] | str:
    """Return the fields of a JSON object by column name, or what is wrong with it."""
    if not isinstance(value, dict):
        return "it is not a JSON object"
    names = [canonical(name) for name in value]
    for column in COLUMNS:
        if names.count(column) > 1:
            return f"it has {names.count(column)} fields for the {column}"
    row = {"text": "", TITLE_COLUMN: "", **dict(zip(names, value.values(), strict=True))}
    label = row.get("label")
    if isinstance(label, int) and not isinstance(label, bool):
        row["label"] = str(label)
    wrong = [column for column in COLUMNS if not isinstance(row.get(column), str)]
    return f"its {wrong[0]} is missing or not a string" if wrong else row


class DbpediaLabelMapper(LabelMapperBase):
    """Maps labels that are class names or class numbers, counted from 1.

    Args:
        names: the classes in order, as in classes.txt.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._index = {name: index for index, name in enumerate(self._names)}
        # If all names are numbers, every label is a name: 3 is a mistake among the classes 0, 1 and 2.
        self._counts_from_1 = not all(_is_number(name) for name in self._names)
        self._is_order_given = True

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "DbpediaLabelMapper":
        """Return the mapper for data without classes.txt: labels sorted by name, or by value if all are numbers."""
        found = set(labels)
        if all(_is_number(label) for label in found):
            return cls(sorted(found, key=int))
        mapper = cls(sorted(found))
        mapper._is_order_given = False
        return mapper

    def map(self, label: str) -> int:
        if label in self._index:
            return self._index[label]
        if self._counts_from_1 and _is_number(label) and 1 <= int(label) <= len(self._names):
            self._warn_of_order(label)
            return int(label) - 1
        or_number = f" nor a number from 1 to {len(self._names)}" if self._counts_from_1 else ""
        raise ValueError(
            f"label {shown(label)} is {'neither' if or_number else 'not'} a class name{or_number}"
        )

    def _warn_of_order(self, label: str) -> None:
        """Warn once how numbers are assigned to classes if no classes.txt gives their order."""
        if self._is_order_given:
            return
        self._is_order_given = True
        counted = [
            f"{number} = {shown(name)}" for number, name in enumerate(self._names[:_MOST_SHOWN], start=1)
        ]
        logger.warning(
            "label %s is not a class of the training data: reading it as a class number in alphabetical order"
            " (%s%s); put a classes.txt into the class channel if you mean another order",
            shown(label),
            ", ".join(counted),
            ", …" if len(self._names) > _MOST_SHOWN else "",
        )

    def reverse_map(self, index: int) -> str:
        return self._names[index]

    @property
    def num_classes(self) -> int:
        return len(self._names)


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) < 10
