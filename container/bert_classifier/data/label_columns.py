"""Wide data: a column for each label, with 1 where a text has it and 0 where it has not.

Standard library only.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_RANGE = ".."
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


def entries_of(setting: str) -> list[str]:
    """Return the columns that label_columns names, as they are written; of a range both ends."""
    return [name.strip() for part in setting.split(",") for name in part.split(_RANGE) if name.strip()]


def label_positions(setting: str, position_of: Callable[[str], int]) -> tuple[int, ...]:
    """Return the positions of the columns that label_columns names, in its order.

    Args:
        setting: names or numbers from 1, separated by commas; first..last stands for all between, too.
        position_of: returns the position of one column, or raises a UserError.
    Raises:
        UserError: when there is no such column, a range runs backwards, or a column is named twice.
    """
    found: list[int] = []
    for part in filter(None, map(str.strip, setting.split(","))):
        first, is_range, last = part.partition(_RANGE)
        begin = position_of(first.strip())
        end = position_of(last.strip()) if is_range else begin
        if end < begin:
            raise UserError(
                f"label_columns has the range {shown(part)}, whose last column stands before its first.",
                "Turn it round.",
            )
        found += range(begin, end + 1)
    if len(set(found)) < len(found):
        raise UserError("label_columns names a column twice.", "Name each column once.")
    if len(found) < 2:
        raise UserError(
            "label_columns names one column, but each of them is one class.",
            "Name at least two, or use label_column for a column that holds the labels themselves.",
        )
    return tuple(found)


def flag_of(value: Any) -> bool | None:
    """Return whether a cell of a label's column says that a text has the label; None if it says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    return _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None


def unknown_in(value: Any) -> str:
    """Return what leaves open whether a text has a label: an "empty" cell, or "-1" as in Jigsaw's; "" for others."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return "empty"
    return "-1" if str(value).strip() in ("-1", "-1.0") else ""


def labels_of(names: Sequence[str], values: Sequence[Any]) -> tuple[str, ...] | ValueError:
    """Return the labels whose columns hold 1, sorted, or what is wrong.

    Args:
        names: of the labels.
        values: of a row in their columns.
    """
    flags = [flag_of(value) for value in values]
    if None in flags:
        at = flags.index(None)
        unknown = unknown_in(values[at])
        what = f"is {unknown}, neither 0 nor 1" if unknown else "holds neither 0 nor 1"
        return ValueError(f"its column {shown(names[at])} {what}")
    return tuple(sorted(name for name, flag in zip(names, flags, strict=True) if flag))
