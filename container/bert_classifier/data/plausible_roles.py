"""Whether columns look like what they are taken for.

Standard library only.
"""

import itertools
from collections.abc import Collection, Sequence
from typing import Any

from bert_classifier.data.columns import Roles
from bert_classifier.data.label_lists import list_in
from bert_classifier.data.shapes import FEW_ROWS, LABEL_WORDS, SAMPLE_ROWS, Shape
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_FLAGS = frozenset({"0", "1", "0.0", "1.0", "true", "false"})


def doubt_of_label(
    shapes: Sequence[Shape],
    rows: Sequence[Sequence[Any]],
    roles: Roles,
    classes: Collection[str],
    *,
    is_named: bool,
) -> str:
    """Return why the column of labels looks like one of texts; "" where it does not.

    Args:
        shapes: of all columns in the first rows.
        rows: these rows.
        classes: names of classes that are known.
        is_named: whether the file itself names its columns.
    """
    label, text = shapes[roles.label or 0], shapes[roles.text]
    if {str(row[roles.label or 0]).strip() for row in rows} <= {*classes}:
        return ""
    others = [shape for shape in shapes if shape is not label]
    varies = label.varies_like_texts and (
        len(rows) < SAMPLE_ROWS - 1
        or any(shape.may_be_label for shape in others)
        or label.words >= LABEL_WORDS
    )
    if not varies and (is_named or not _are_swapped(label, text)):
        return ""
    swapped, either = (
        (f" and {shown(text.name)} few", "; label and text may be swapped") if text.may_be_label else ("", "")
    )
    return (
        f"column {shown(label.name)} has nearly as many values as rows{swapped}, so it seems not to be the label"
        f"{either}"
    )


def is_shifted(shapes: Sequence[Shape], roles: Roles) -> bool:
    """Return whether columns do not look like label, title and text, as a file of three without a header has them."""
    text, title = shapes[roles.text], shapes[roles.title or 0]
    is_constant = text.distinct == 1 and text.filled >= FEW_ROWS
    if (text.may_be_label or is_constant) and not title.may_be_label:
        return True
    if text.filled < FEW_ROWS:
        return False
    is_split = title.may_be_label and text.varies_like_texts
    return is_split or text.is_number or text.words < title.words / 2


def refuse_flags(name: str, rows: Sequence[Sequence[Any]], roles: Roles) -> None:
    """Raise a UserError where lists of labels are vectors with 0 or 1 for each label: some hold one value twice.

    Args:
        name: of the file.
        rows: the first ones.
    """
    values = [] if roles.label is None else [row[roles.label] for row in rows]
    found = [list_in(value) if isinstance(value, str) else value for value in values]
    lists = [[str(item).lower() for item in items] for items in found if isinstance(items, list) and items]
    if len({*map(len, lists)}) != 1 or not {*itertools.chain(*lists)} <= _FLAGS:
        return
    if any(len({*items}) < len(items) for items in lists):
        raise UserError(
            f"{name}: its lists of labels hold only 0 and 1, one place for each of {len(lists[0])} labels.",
            "Write the names of each text's labels, or give each label a column of its own and set label_columns.",
        )


def _are_swapped(label: Shape, text: Shape) -> bool:
    """Return whether what should be labels are texts, and the texts shorter: plain however few rows there are."""
    return label.distinct == label.filled > 1 and text.words <= LABEL_WORDS < label.words
