"""Labels as data files write them: one spelling each, and values that stand for a missing one.

Standard library only.
"""

import re
import unicodedata
from typing import Any

# What programs write for no value: pandas, R ("NA"), JSON, SQL ("\N"), spreadsheets.
_MISSING = frozenset({"nan", "null", "none", "n/a", "<na>", "#n/a", "nat", "\\n"})
_MISSING_AS_WRITTEN = frozenset({"NA"})  # "na" may be a word
# As Label Studio writes choices into CSV, and pandas lists: {"choices": [… or ['a', 'b'] or [0 1]; Postgres: {a,b}.
_LIST = re.compile(r"""\s*(?:[\[{]\s*["'\[{]|\[[^\]]*[, ][^\]]*\]\s*$|\{[^}]*,[^}]*\}\s*$)""")
_DROP = " missing_labels=drop leaves rows without a label out"
MISSING_REMEDY = f"{_DROP}; missing_labels=keep makes such words a class."
MISSING_REMEDY_OF_CLASSES = f"{_DROP}."  # where the classes are given


def normal_label(label: str) -> str:
    """Return a label without surrounding blanks, in Unicode form NFC."""
    label = label.strip()
    return label if label.isascii() else unicodedata.normalize("NFC", label)


def is_missing(label: str) -> bool:
    """Return whether a label is a word for a missing value."""
    return label.casefold() in _MISSING or label in _MISSING_AS_WRITTEN


def label_of(value: Any) -> str:
    """Return the label that a value stands for, "" for none.

    Strings, booleans and whole numbers are labels; a list with one of them is that one.

    Raises:
        ValueError: for anything else; the message says what it is.
    """
    if isinstance(value, str):
        if _LIST.match(value):
            raise ValueError(
                "the label is a list or an object written as text, as for several labels (multi-label)"
            )
        return normal_label(value)
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    if isinstance(value, list):
        return _only_label(value)
    kind = "a number with a fraction" if isinstance(value, float) else "an object, not a string"
    raise ValueError(f"the label is {kind}")


def _only_label(values: list[Any]) -> str:
    if len(values) > 1:
        raise ValueError(
            f"it has {len(values)} labels: several labels per text (multi-label) are not supported"
        )
    if values and isinstance(values[0], list | dict):
        raise ValueError("the label is a list of spans or objects, not one string for the whole text")
    return label_of(values[0]) if values else ""
