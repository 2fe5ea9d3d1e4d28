"""Columns of CSV that hold no texts: refused however few rows there are, since nobody would notice the predictions."""

import re
from collections.abc import Sequence

from bert_classifier.data.columns import LABEL_NAMES, ColumnsError, bare, is_unnamed, matches
from bert_classifier.data.dialect import delimiter_name
from bert_classifier.data.shapes import Shape, quoted_value, shapes_of
from bert_classifier.data.table import Table

# Two letters, or one that is not Latin: dates, times and numbers have neither.
_WORD = re.compile(r"[^\W\d_]{2}|[^\W\d_\x00-\x7f]")
AS_TEXTS = 'If its rows are texts alone, commas included: CONTENT_TYPE="text/csv; header=absent".'


def only_label(names: Sequence[str]) -> str:
    """Return the name of the label if a header names nothing else but an index; "" for other headers."""
    named = [name.strip() for name in names if bare(name) and not is_unnamed(bare(name))]
    return named[0] if len(named) == 1 and matches(named, LABEL_NAMES) else ""


def has_index(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether only the first column has no name, and counts the rows, as pandas writes its index."""
    (first, *names), *others = rows
    numbers = [row[0] for row in others if len(row) == len(rows[0])]
    are_numbers = all(map(str.isdecimal, numbers)) and len({*numbers}) == len(numbers) == len(others) > 0
    return not first and all(map(str.strip, names)) and len(names) > 0 and are_numbers


def refuse_implausible(table: Table, rows: Sequence[Sequence[str]]) -> None:
    """Refuse columns taken by their places if another one looks more like the text.

    Args:
        rows: the first ones of the file.
    Raises:
        ColumnsError: with the setting that tells the text.
    """
    shapes = shapes_of(table.names, rows)
    at = table.roles.text
    others = [shape for position, shape in enumerate(shapes) if position != at]
    values = [row[at] for row in rows if at < len(row) and row[at].strip()]
    why = _why_no_text(shapes[at], others, values)
    if not why:
        return
    likeliest = max(shapes, key=lambda shape: (shape.kind == "text", shape.words)).name
    raise ColumnsError(
        f"{table.name}: it has no header, and column {shapes[at].name}, where its text would stand, {why}. It was read"
        f" as CSV with {delimiter_name(table.delimiter)}, with the columns {', '.join(map(str, shapes))}.",
        f"If that is right, set text_column={quoted_value(likeliest)}, and header=true where line 1 names the columns,"
        f" else header=false. {AS_TEXTS}",
    )


def _why_no_text(text: Shape, others: Sequence[Shape], values: Sequence[str]) -> str:
    """Return why a column does not hold the texts; "" if it may."""
    if not values:
        return "is empty"
    if 2 * sum(bool(_WORD.search(value)) for value in values) < len(values):
        return "holds no words"
    if any(other.words > text.words for other in others):
        return "has fewer words than another"
    if text.recurs and not any(other.recurs for other in others):
        return "repeats its values, and no other does"
    return ""
