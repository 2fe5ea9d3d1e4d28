"""Labels as data files write them: one spelling each, and values that stand for a missing one.

Standard library only.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

# What programs write for no value: pandas, R ("NA"), JSON, SQL ("\N"), spreadsheets.
_MISSING = frozenset({"nan", "null", "none", "n/a", "<na>", "#n/a", "nat", "\\n"})
_MISSING_AS_WRITTEN = frozenset({"NA"})  # "na" may be a word
# What people and programs write where they gave no label; a class may be called so, too.
_PLACEHOLDERS = frozenset({
    "n.a.", "na", "undefined", "unlabeled", "unlabelled", "unannotated", "no label", "no_label", "not labeled",
    "not labelled", "not annotated", "unset", "tbd", "todo", "#value!", "#ref!", "#name?", "#div/0!",
})  # fmt: skip
_SIGN = re.compile(r"[-–—_]+|\?+|\.+|…|/")  # SNLI's - stands for annotators who disagree
_NO_NUMBER = re.compile(r"-1(?:00)?(?:\.0+)?")  # in Hugging Face's columns of classes, and of torch's losses
_NEGATIVE = re.compile(r"-[0-9.]+")
# As Label Studio writes choices into CSV, and pandas lists: {"choices": [… or ['a', 'b'] or [0 1]; Postgres: {a,b}.
_LIST = re.compile(r"""\s*(?:[\[{]\s*["'\[{]|\[[^\]]*[, ][^\]]*\]\s*$|\{[^}]*,[^}]*\}\s*$)""")
_DROP = " missing_labels=drop leaves rows without a label out"
_SEPARATED = (
    ' label_separator="{}" gives each text the labels between these signs, and none where the cell is empty.'
)
_KEEP = "; missing_labels=keep makes such words a class"
_SEVERAL = " task=multi takes any number of labels per text, in all channels."


def label_remedy(reasons: Iterable[str], *, has_classes: bool = False, mark: str = "") -> str:
    """Return what to add to the remedy for rows whose labels cannot be used, with a blank before; "" for others.

    Args:
        reasons: why rows cannot be used.
        has_classes: whether the classes are given, so that no word for a missing value becomes one.
        mark: what stands between several labels in other rows; "" where nothing does.
    """
    found = [*reasons]
    if any("stands for a missing value" in reason or "label is empty" in reason for reason in found):
        several = f"{_SEPARATED.format(mark)} Else" if mark else ""
        return f"{several}{_DROP}{'' if has_classes else _KEEP}."
    if any(", neither 0 nor 1" in reason for reason in found):
        return f"{_DROP}."
    return _SEVERAL if any("task=single" in reason for reason in found) else ""


def normal_label(label: str) -> str:
    """Return a label without surrounding blanks, in Unicode form NFC."""
    label = label.strip()
    return label if label.isascii() else unicodedata.normalize("NFC", label)


def is_missing(label: str) -> bool:
    """Return whether a label is a word for a missing value."""
    return label.casefold() in _MISSING or label in _MISSING_AS_WRITTEN


def may_stand_for_none(labels: Collection[str]) -> list[str]:
    """Return the labels that may stand for "no label": words and signs for it, and -1 beside other labels.

    Signs are classes where others stand beside them that never mean "none", such as + beside -, and so is what leaves
    only one other label. Numbers below zero are classes where there are several of them.
    """
    signs = [label for label in labels if not any(map(str.isalnum, label))]
    if any(sign.isascii() and not _SIGN.fullmatch(sign) for sign in signs):
        signs = []
    negative = [label for label in labels if _NEGATIVE.fullmatch(label)]
    found = {sign for sign in signs if _SIGN.fullmatch(sign)}
    if len(negative) == 1:
        found |= {label for label in negative if _NO_NUMBER.fullmatch(label)}
    if len(found) >= len(labels) - 1:
        found = set()
    return [label for label in labels if label.casefold() in _PLACEHOLDERS or label in found]


def is_list_text(value: str) -> bool:
    """Return whether a text is a list or an object that a program wrote."""
    return _LIST.match(value) is not None


def label_of(value: Any) -> str:
    """Return the label that a value stands for, "" for none.

    Strings, booleans and whole numbers are labels.

    Raises:
        ValueError: for anything else; the message says what it is.
    """
    if isinstance(value, str):
        if is_list_text(value):
            raise ValueError("the label is a list or an object written as text, in no form that is known")
        return normal_label(value)
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    kind = "a number with a fraction" if isinstance(value, float) else "an object, not a string"
    raise ValueError(f"the label is {kind}")
