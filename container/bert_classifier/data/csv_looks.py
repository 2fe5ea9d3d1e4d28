"""Detect a header row or labels in CSV that should hold only texts, in order to refuse it.

Shared by the server and the launcher's checks; for training, `dialect` recognises headers, by the same names.
Standard library only.
"""

import re
from collections.abc import Sequence

from bert_classifier.data.columns import LABEL_NAMES, TEXT_NAMES, TITLE_NAMES, bare, is_unnamed

_OTHER_DELIMITERS = re.compile(r"[;\t|]")
_LABELS = frozenset().union(*LABEL_NAMES)
_OF_PAIRS = ("answer", "premise", "hypothesis")  # texts that come with another one
_TEXTS = frozenset(_OF_PAIRS).union(*TEXT_NAMES, *TITLE_NAMES)
_NUMBER = re.compile(r"([0-9]{1,2}|[ab])$")  # sentence1, text_a
_MOST_WORDS = 4  # in a class name, if the classes are unknown


def is_likely_header(cells: Sequence[str]) -> bool:
    """Return whether a row looks like a header: it names a label and a text, or one of them among other names."""
    if len(cells) == 1:
        cells = _OTHER_DELIMITERS.split(cells[0])
    if len(cells) == 1:
        return _is_label(bare(cells[0])) or _is_text(bare(cells[0]))
    names = [bare(cell) for cell in cells]
    has_label, has_text = any(map(_is_label, names)), any(map(_is_text, names))
    if has_label and has_text:
        return True
    return (has_label or has_text) and all(map(_is_name, cells, names))


def _is_label(name: str) -> bool:
    return name in _LABELS


def _is_text(name: str) -> bool:
    """Return whether a bare name is one in use for a text, also in the plural or numbered."""
    return bool(
        {name, name.removesuffix("s"), (one := _NUMBER.sub("", name)), one.removesuffix("s")} & _TEXTS
    )


def _is_name(cell: str, name: str) -> bool:
    """Return whether one cell of several could name a column: a known name, no name, or a single word."""
    known = not name or _is_label(name) or _is_text(name) or is_unnamed(name)
    return known or cell.strip().isidentifier()


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
