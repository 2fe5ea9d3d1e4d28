"""Detect a header row or labels in CSV that should hold only texts, in order to refuse it.

Shared by the server and the launcher's checks; for training, `dialect` recognises headers, by the same names.
Standard library only.
"""

import dataclasses
import itertools
import re
from collections.abc import Collection, Sequence

from bert_classifier.data.columns import LABEL_NAMES, TEXT_NAMES, TITLE_NAMES, bare, is_unnamed

_OTHER_DELIMITERS = re.compile(r"[;\t|~^]")
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "~": "tilde"}
_SMILEY = r"[-^o']?[])(*DPp](?=[\s.,!?)]|\Z)"  # behind a semicolon
_SPLIT = (
    (";", re.compile(rf";(?!{_SMILEY})")),
    ("\t", re.compile(r"\t")),
    ("|", re.compile(r"\|")),
    ("~", re.compile(r"(?<!~)~(?=[\w\"'])")),  # not "no~~ thanks"
)
_INNER_CELLS = 3  # looked at in a row, behind the first
_ID = re.compile(r"\s*(?=\S*[0-9])[\w:./#-]+\s*")  # one word with a digit
_MOMENT = re.compile(
    r"\s*[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]{1,4}[ T][0-9:.]+ *(?:Z|[AaPp][Mm]|[+-][0-9:]+)?\s*"
)
_LABELS = frozenset().union(*LABEL_NAMES)
_OF_PAIRS = ("answer", "premise", "hypothesis")  # texts that come with another one
_TEXTS = frozenset(_OF_PAIRS).union(*TEXT_NAMES, *TITLE_NAMES)
_NUMBER = re.compile(r"([0-9]{1,2}|[ab])$")  # sentence1, text_a
MOST_CELLS = 100_000  # of a row; with more it is one text, since that many take the memory of a hundred texts
_MOST_WORDS = 4  # in a class name, if the classes are unknown
_NO_CELL = re.compile(_SMILEY)
_ENTITY = re.compile(r"&#?\w+\Z")  # HTML's own semicolon
_MOST_TIGHT = 0.8  # fraction of the rows
_ENOUGH_ROWS = 5


def cells_of(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line without quotes."""
    return line.split(delimiter) if line.count(delimiter) < MOST_CELLS else [line]


def is_likely_header(cells: Sequence[str], own: Collection[str] = frozenset()) -> bool:
    """Return whether a row looks like a header: it names a label and a text, or one of them among other names.

    Args:
        own: names of the columns of a model's training data, as TextFields.names returns them.
    """
    if len(cells) == 1 and "\n" in cells[0].strip():
        return False
    cells = split_names(cells)
    names = [bare(cell) for cell in cells]
    has_label, has_text = any(map(_is_label, names)), any(map(_is_text, names))
    num_own = len({*own} & {*names})
    if (has_label and has_text) or num_own > 1:
        return True
    is_known = has_label or has_text or num_own > 0
    return is_known and (
        len(cells) == 1 or all(_is_name(*pair, own) for pair in zip(cells, names, strict=True))
    )


def split_names(cells: Sequence[str]) -> Sequence[str]:
    """Return the cells of a row; of one cell what stands between any other delimiters."""
    return _OTHER_DELIMITERS.split(cells[0]) if len(cells) == 1 else cells


def _is_label(name: str) -> bool:
    return name in _LABELS


def _is_text(name: str) -> bool:
    """Return whether a bare name is one in use for a text, also in the plural or numbered."""
    return bool(
        {name, name.removesuffix("s"), (one := _NUMBER.sub("", name)), one.removesuffix("s")} & _TEXTS
    )


def _is_name(cell: str, name: str, own: Collection[str]) -> bool:
    """Return whether one cell of several could name a column: a known name, no name, or a single word."""
    known = not name or name in own or _is_label(name) or _is_text(name) or is_unnamed(name)
    return known or cell.strip().isidentifier()


def classes_of(names: Sequence[str]) -> frozenset[str]:
    """Return how data may refer to a model's classes: their names in lower case, or numbers from 0 or 1."""
    are_numbers = all(name.isdigit() for name in names)
    numbers = () if are_numbers else map(str, range(len(names) + 1))
    return frozenset([*(name.strip().casefold() for name in names), *numbers])


class LabelColumns:
    """Detects whether cells of rows, between any usual delimiters, are labels.

    A text alone may have such a cell by chance: at an end of the row it counts, between others only if the row begins
    with an id, or if several rows have a label there.

    Args:
        classes: as classes_of returns them; None = unknown: any few words may be a class.
    """

    def __init__(self, classes: frozenset[str] | None) -> None:
        self._classes = classes
        self._rows = 0
        self._places: dict[tuple[str, int], _Place] = {}  # by delimiter and cell position

    def add(self, cells: Sequence[str], *, is_quoted: bool = False) -> bool:
        """Count a row; return whether any cell may be a label.

        Args:
            cells: between commas.
            is_quoted: whether the row is one quoted cell, and so one text whatever it contains.
        """
        line = cells[0] if len(cells) == 1 else ",".join(cells)
        if not line.strip(", \t\r\n"):
            return False
        self._rows += 1
        found = self._count(",", cells)
        for delimiter, pattern in () if is_quoted else _SPLIT:
            if 0 < line.count(delimiter) < MOST_CELLS:
                found = self._count(delimiter, pattern.split(line)) or found
        return found

    def add_cells(self, delimiter: str, cells: Sequence[str]) -> None:
        """Count a row whose cells are known, such as one with quotes behind its delimiters."""
        self._rows += 1
        self._count(delimiter, cells)

    def is_placed(self, delimiter: str) -> bool:
        """Return whether most rows have a label in a place between these delimiters."""
        return any(
            key[0] == delimiter and place.is_in_most(self._rows) for key, place in self._places.items()
        )

    @property
    def place(self) -> str:
        """Where most rows have a label, as a verb with its object; "" for nowhere."""
        found = (key for key, place in self._places.items() if place.is_in_most(self._rows))
        delimiter, position = next(found, ("", 0))
        if not delimiter:
            return ""
        where = {0: "begin with a class", -1: "end with a class"}
        return f"{where.get(position, f'have a class as cell {position + 1},')} beside a {_DELIMITERS[delimiter]}"

    def _count(self, delimiter: str, cells: Sequence[str]) -> bool:
        """Count the labels among the cells of a row; return whether there is one."""
        if len(cells) == 1 or any(
            map(str.isspace, (cell[:1] for cell in cells[1:]))
        ):  # "No, thanks" has a blank
            return False
        is_found = False
        has_id = _ID.fullmatch(cells[0]) is not None
        for position in (0, -1, *range(1, min(len(cells) - 1, _INNER_CELLS + 1))):
            label = cells[position].strip()
            if self._may_be_class(label):
                place = self._places.setdefault((delimiter, position), _Place())
                is_undecided = label.isdigit() and _is_in_number(cells, position)
                place.add(is_undecided=is_undecided, is_sure=has_id or position in (0, -1))
                is_found = is_found or not is_undecided
        return is_found

    def _may_be_class(self, label: str) -> bool:
        if self._classes is not None:
            return label.casefold() in self._classes
        return 0 < len(label.split()) <= _MOST_WORDS


@dataclasses.dataclass(slots=True)
class _Place:
    """How many rows have a label in one place, and whether a single one suffices."""

    labels: int = 0
    undecided: int = 0
    is_sure: bool = False

    def add(self, *, is_undecided: bool, is_sure: bool) -> None:
        self.undecided += is_undecided
        self.labels += not is_undecided
        self.is_sure = self.is_sure or is_sure

    def is_in_most(self, rows: int) -> bool:
        others = rows - self.labels - self.undecided
        return self.labels > others and (self.is_sure or self.labels > 1)


def _is_in_number(cells: Sequence[str], position: int) -> bool:
    """Return whether the cell may be digits of a number with delimiters, such as "1,000 people"; an id is none."""
    position %= len(cells)
    before = "" if position == 0 else cells[position - 1].strip()
    behind = "" if position == len(cells) - 1 else cells[position + 1][:1]
    return behind.isdigit() or (before[-1:].isdigit() and (behind == "" or not before.isdigit()))


def are_columns(rows: Sequence[Sequence[str]], delimiter: str, *, is_quoted: bool) -> bool:
    """Return whether rows without known names or labels have several columns, rather than texts with delimiters.

    All are as wide, most have no blanks at a delimiter as prose has them, and there are enough rows, or a column of
    numbers, dates or codes.

    Args:
        is_quoted: whether quotes show that there are cells, so that one row is enough.
    """
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(row) != width for row in rows):
        return False
    num_tight = sum(not _has_blanks(row) and (is_quoted or _has_cells(row, delimiter)) for row in rows)
    if num_tight < _MOST_TIGHT * len(rows) or not any(map(str.isalnum, "".join(map("".join, rows)))):
        return False
    return is_quoted or len(rows) >= _ENOUGH_ROWS or any(map(_are_values, zip(*rows[1:], strict=True)))


def _has_blanks(cells: Sequence[str]) -> bool:
    """Return whether a blank stands beside a delimiter, as in prose."""
    return any(left[-1:].isspace() or right[:1].isspace() for left, right in itertools.pairwise(cells))


def _has_cells(cells: Sequence[str], delimiter: str) -> bool:
    """Return whether a delimiter is neither at the end nor part of a number, a smiley or an entity of HTML."""
    pairs = [(left, right) for left, right in itertools.pairwise(cells) if right]
    if delimiter == ",":
        return any(not (left[-1:].isdigit() and right[0].isdigit()) for left, right in pairs)
    if delimiter == ";":
        return any(not (_NO_CELL.match(right) or _ENTITY.search(left)) for left, right in pairs)
    return bool(pairs)


def _are_values(column: Sequence[str]) -> bool:
    return any(column) and all(not cell or _ID.fullmatch(cell) for cell in column)


class ValueColumns:
    """Detects a column in which each row has a number, a date or a code, so that it holds no texts.

    Attributes:
        rows: that were counted.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._places: set[int] = set()

    def add(self, cells: Sequence[str]) -> None:
        """Count a row."""
        found = {at for at, cell in enumerate(cells) if _ID.fullmatch(cell) or _MOMENT.fullmatch(cell)}
        self._places = found if self.rows == 0 else self._places & found
        self.rows += 1

    @property
    def position(self) -> int | None:
        """Where the only such column stands; None without one, or if there are several."""
        return next(iter(self._places)) if len(self._places) == 1 else None
