"""What the columns of a file look like, without quoting any of their values.

Standard library only.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from bert_classifier.job.settings import shown

_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_FRACTION = re.compile("[.,][0-9]*[1-9]")
# Thai, Lao, Burmese and Khmer; Chinese and Japanese.
_WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]")
SAMPLE_ROWS = 1000  # the first rows of a file, by which its columns are judged
FEW_ROWS = 20  # with fewer, that all labels differ means nothing
ALL_DIFFERENT = 0.9  # fraction of distinct values from which a column cannot be a label
LABEL_WORDS = 4  # on average; more is a text
# Words in the name of a column, and of a class; what has more may be a text, which no message quotes.
_MOST_NAME_WORDS = 3
_MOST_LABEL_WORDS = 6


@dataclasses.dataclass(frozen=True)
class Shape:
    """One column of the first rows.

    Attributes:
        name: as the settings name it: its name, or its number from 1.
        filled: rows with a value.
        distinct: different values.
        words: mean number of words of a value.
        kind: "number", "0 or 1", "0, 1 or -1", "true or false", "list", "object" or "text".
        is_fractional: whether it has numbers only, some of them with a fraction.
    """

    name: str
    filled: int
    distinct: int
    words: float
    kind: str
    is_fractional: bool = False

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> "Shape":
        """Return the shape of a column."""
        filled = [value for value in values if value not in (None, "") and str(value).strip()]
        texts = [str(value) for value in filled]
        words = sum(map(num_words, texts)) / len(texts) if texts else 0
        kind = _kind(filled, texts)
        is_fractional = kind == "number" and any(map(_FRACTION.search, texts))
        return cls(name, len(filled), len(set(texts)), words, kind, is_fractional)

    def __str__(self) -> str:
        """Describe the column, such as "'kind' (1 word, 3 different values)"."""
        if not self.filled:
            return f"{shown(self.name)} (empty)"
        words = f"{self.words:.0f} word{'s' if round(self.words) != 1 else ''}"
        different = "all different" if self.distinct == self.filled > 1 else _counted(self.distinct)
        return f"{shown(self.name)} ({words if self.kind == 'text' else self.kind}, {different})"

    @property
    def varies_like_texts(self) -> bool:
        """Whether nearly all values differ."""
        return self.filled >= FEW_ROWS and self.distinct >= ALL_DIFFERENT * self.filled

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.kind in ("number", "0 or 1", "0, 1 or -1")

    @property
    def recurs(self) -> bool:
        """Whether the values are few and short, such as the labels of a file, even if the first rows have only one."""
        is_short = self.words <= LABEL_WORDS and self.kind not in ("list", "object")
        return 0 < self.distinct <= self.filled / 2 and is_short

    @property
    def may_be_label(self) -> bool:
        """Whether several short values recur."""
        return self.recurs and self.distinct > 1


def _counted(distinct: int) -> str:
    return f"{distinct} different values" if distinct > 1 else "always the same value"


def _kind(filled: Sequence[Any], texts: Sequence[str]) -> str:
    if any(isinstance(value, list | dict) for value in filled):
        return "object" if isinstance(filled[0], dict) else "list"
    if texts and {*texts} <= {"0", "1", "0.0", "1.0"}:
        return "0 or 1"
    if texts and {*texts} <= {"0", "1", "-1", "0.0", "1.0", "-1.0"}:
        return "0, 1 or -1"
    if texts and {text.lower() for text in texts} <= {"true", "false"}:
        return "true or false"
    return "number" if texts and all(map(_NUMBER.fullmatch, texts)) else "text"


def shapes_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Shape]:
    """Return the shape of each column; shorter rows lack their last cells."""
    spoken = [spoken_name(name, position) for position, name in enumerate(names)]
    spoken = [name if spoken.count(name) == 1 else str(at + 1) for at, name in enumerate(spoken)]
    return [
        Shape.of(name, [row[position] for row in rows if position < len(row)])
        for position, name in enumerate(spoken)
    ]


def num_words(text: str) -> int:
    """Return the number of words; where a script puts no blanks between them, of two characters each."""
    words = len(text.split())
    return words if text.isascii() else max(words, len(_WITHOUT_BLANKS.findall(text)) // 2)


def spoken_name(name: str, position: int) -> str:
    """Return a column's name for messages: its number where it has no name, or a text stands in its place."""
    return name.strip() if 0 < num_words(name) <= _MOST_NAME_WORDS else str(position + 1)


def spoken_label(label: str) -> str:
    """Return a label for messages: in quotes, or the number of its words where it may be a text."""
    words = num_words(label)
    return shown(label) if words <= _MOST_LABEL_WORDS else f"of {words} words"


def quoted_value(value: str) -> str:
    """Return a setting's value as it is written after NAME=, quoted where it has blanks."""
    return f'"{value}"' if any(map(str.isspace, value)) else value
