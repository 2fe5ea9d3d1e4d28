"""Detect a header row or labels in CSV that should hold only texts, in order to refuse it.

Shared by the server and the launcher's checks; for training, `columns` recognises headers. Standard library only.
"""

import re
from collections.abc import Sequence

_SEPARATORS = re.compile(r"[\s_-]+")
_OTHER_DELIMITERS = re.compile(r"[;\t|]")
_LABEL = re.compile(
    r"labels?|class(index|id|name)?|category|intent|sentiment|topic|target|rating|stars|polarity"
)
_TEXT = re.compile(
    r"((review|comment|tweet|question|message|input|full|raw|clean|cleaned)?texts?|sentences?|titles?|abstract|content"
    r"|reviews?|utterances?|messages?|tweets?|body|comments?|descriptions?|questions?|answers?|premise|hypothesis)"
    r"([0-9]{1,2}|[ab])?"
)
_NAME = re.compile(f"{_LABEL.pattern}|{_TEXT.pattern}")
_INDEX = re.compile(r"unnamed:[0-9]+")  # pandas' name for an unnamed column
_MOST_WORDS = 4  # in a class name, if the classes are unknown


def is_likely_header(cells: Sequence[str]) -> bool:
    """Return whether a row looks like a header: it names a label and a text, or one of them among other names."""
    if len(cells) == 1:
        return all(_NAME.fullmatch(_bare(name)) for name in _OTHER_DELIMITERS.split(cells[0]))
    names = [_bare(cell) for cell in cells]
    has_label, has_text = (any(map(kind.fullmatch, names)) for kind in (_LABEL, _TEXT))
    if has_label and has_text:
        return True
    return (has_label or has_text) and all(map(_is_name, cells, names))


def _bare(cell: str) -> str:
    return _SEPARATORS.sub("", cell.strip().lower())


def _is_name(cell: str, name: str) -> bool:
    """Return whether one cell of several could name a column: a known name, no name, or a single word."""
    known = not name or _NAME.fullmatch(name) or _INDEX.fullmatch(name)
    return bool(known) or cell.strip().isidentifier()


def classes_of(names: Sequence[str]) -> frozenset[str]:
    """Return how data may refer to a model's classes: their names in lower case, or numbers from 0 or 1."""
    are_numbers = all(name.isdigit() for name in names)
    numbers = () if are_numbers else map(str, range(len(names) + 1))
    return frozenset([*(name.strip().casefold() for name in names), *numbers])


class LabelColumns:
    """Detects whether the first or last cells of rows are labels.

    Args:
        classes: as classes_of returns them; None = unknown: any few words may be a class.
    """

    def __init__(self, classes: frozenset[str] | None) -> None:
        self._classes = classes
        self._counts = {0: [0, 0], -1: [0, 0]}  # by cell position: rows without and with a label there

    def add(self, cells: Sequence[str]) -> bool:
        """Count a row; return whether it alone would be refused."""
        if not any(cell.strip() for cell in cells):
            return False
        found = [self._has_label(cells, position) for position in self._counts]
        for counts, is_label in zip(self._counts.values(), found, strict=True):
            if is_label is not None:
                counts[is_label] += 1
        return True in found

    @property
    def place(self) -> str:
        """Where most rows have a label: "begin", "end", or "" for nowhere."""
        (others, first), (other_ends, last) = self._counts.values()
        return "begin" if first > others else "end" if last > other_ends else ""

    def _has_label(self, cells: Sequence[str], position: int) -> bool | None:
        """Return whether a row has a label there beside its text; None if undecided."""
        is_prose = any(cell[:1].isspace() for cell in cells[1:])  # "No, thanks" has a blank
        if len(cells) == 1 or is_prose:
            return False
        label = cells[position].strip()
        if not self._may_be_class(label):
            return False
        inner = cells[1][:1] if position == 0 else cells[-2].strip()[-1:]
        return None if label.isdigit() and inner.isdigit() else True  # "1,000 people"

    def _may_be_class(self, label: str) -> bool:
        if self._classes is not None:
            return label.casefold() in self._classes
        return 0 < len(label.split()) <= _MOST_WORDS
