"""What the columns of a file look like, without quoting any of their values, and which roles they could have.

Standard library only.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.job.settings import shown

_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
# Thai, Lao, Burmese and Khmer; Chinese and Japanese.
_WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]")
SAMPLE_ROWS = 1000  # the first rows of a file, by which its columns are judged
FEW_ROWS = 20  # with fewer, that all labels differ means nothing
ALL_DIFFERENT = 0.9  # fraction of distinct values from which a column cannot be a label
LABEL_WORDS = 4  # on average; more is a text
# Words in the name of a column, and of a class; what has more may be a text, which no message quotes.
_MOST_NAME_WORDS = 3
_MOST_LABEL_WORDS = 6
_MOST_COLUMNS = 12  # in one message
_MOST_RUN = 4  # columns in a row that are named one by one


@dataclasses.dataclass(frozen=True)
class Shape:
    """One column of the first rows.

    Attributes:
        name: as the settings name it: its name, or its number from 1.
        filled: rows with a value.
        distinct: different values.
        words: mean number of words of a value.
        kind: "number", "0 or 1", "true or false", "list", "object" or "text".
    """

    name: str
    filled: int
    distinct: int
    words: float
    kind: str

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> "Shape":
        """Return the shape of a column."""
        filled = [value for value in values if value not in (None, "") and str(value).strip()]
        texts = [str(value) for value in filled]
        words = sum(map(num_words, texts)) / len(texts) if texts else 0
        return cls(name, len(filled), len(set(texts)), words, _kind(filled, texts))

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


def suggested_roles(shapes: Sequence[Shape], settings: ReaderSettings, label: str = "") -> dict[str, str]:
    """Return the settings that name the likeliest text and label; empty for those that nothing suggests.

    Args:
        label: the column to suggest for the label if no other looks like one.
    """
    texts = [shape for shape in shapes if shape.kind == "text" and shape.filled]
    text = (
        settings.text_column or max(texts, key=lambda shape: shape.words, default=Shape("", 0, 0, 0, "")).name
    )
    others = [shape for shape in shapes if shape.name != text]
    labels = [shape for shape in others if shape.recurs]
    labels = labels or [shape for shape in others if shape.kind == "list"]
    label = settings.label_column or min(labels, key=_label_rank, default=Shape(label, 0, 0, 0, "")).name
    return {name: value for name, value in (("label_column", label), ("text_column", text)) if value}


def _label_rank(shape: Shape) -> tuple[bool, bool, int]:
    return not shape.may_be_label, shape.kind == "0 or 1", shape.distinct


def multi_label_columns(shapes: Sequence[Shape]) -> list[str]:
    """Return the columns that hold 0 and 1 only, or true and false, if there are several."""
    found = [shape.name for shape in shapes if shape.kind in ("0 or 1", "true or false")]
    return found if len(found) > 1 else []


def unclear_roles(
    why: str,
    shapes: Sequence[Shape],
    settings: ReaderSettings,
    *,
    form: str,
    header: str = "",
    label: str = "",
) -> tuple[str, str]:
    """Return cause and remedy for columns whose roles are unclear.

    Args:
        why: begins the message: file, and the reason in words.
        form: how the file was read, such as "CSV with ','".
        header: what to add to the remedy about the first row.
        label: the column to suggest for the label if no other looks like one.
    """
    columns = ", ".join(map(str, shapes[:_MOST_COLUMNS])) + (", …" if len(shapes) > _MOST_COLUMNS else "")
    cause = f"{why}. It was read as {form}, with the columns {columns}."
    wide = multi_label_columns(shapes)
    if wide and not settings.label_column and not settings.label_columns:
        return f"{cause} {_wide_cause(wide)}", _wide_remedy(wide, shapes, settings)
    suggested = suggested_roles(shapes, settings, label)
    names = {"label_column": "…", "text_column": "…", **suggested}
    given = " ".join(f"{name}={quoted_value(value)}" for name, value in names.items())
    condition = " if that is right" if len(suggested) == 2 else ""
    return cause, f"Set {given}{condition}{header}."


def _wide_cause(wide: Sequence[str]) -> str:
    named = ", ".join(wide[:_MOST_COLUMNS]) + (", …" if len(wide) > _MOST_COLUMNS else "")
    return f"{named} hold only 0 and 1, as data with several labels per text (multi-label) do."


def _wide_remedy(wide: Sequence[str], shapes: Sequence[Shape], settings: ReaderSettings) -> str:
    """Return how to read columns of 0 and 1 as labels, or one of them as the label."""
    names = [shape.name for shape in shapes]
    places = [names.index(name) for name in wide]
    is_run = len(wide) > _MOST_RUN and places == [*range(places[0], places[0] + len(wide))]
    parts = [name if "," not in name and ".." not in name else str(names.index(name) + 1) for name in wide]
    value = f"{parts[0]}..{parts[-1]}" if is_run else ",".join(parts)
    text = "" if settings.text_column else suggested_roles(shapes, settings).get("text_column", "")
    given = f" text_column={quoted_value(text)}" if text else ""
    return f"Set label_columns={quoted_value(value)}{given} to learn all of them, or label_column to one of them."


def quoted_value(value: str) -> str:
    """Return a setting's value as it is written after NAME=, quoted where it has blanks."""
    return f'"{value}"' if any(map(str.isspace, value)) else value
