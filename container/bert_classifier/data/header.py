"""Whether the first row of a table names its columns.

Standard library only.
"""

import collections
from collections.abc import Sequence

from bert_classifier.data import columns
from bert_classifier.data.columns import LABEL_NAMES, TEXT_NAMES, names_both
from bert_classifier.data.label_columns import entries_of
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import Shape, num_words, shapes_of

DELIMITERS = (",", ";", "\t", "|")
_HEADER_WORDS = 3
_FEW_LABELS = 4  # rows, with fewer of which a column of labels means nothing
_TITLE_ROWS = 6


def _told_names(settings: ReaderSettings) -> set[str]:
    """Return the columns that the settings name rather than number, without case and separators."""
    told = (settings.label_column, settings.text_column, settings.text_pair_column, settings.title_column)
    wide = entries_of(settings.label_columns)
    return {columns.bare(name) for name in (*told, *wide) if name and not name.isdecimal()}


def names_told(cells: Sequence[str], settings: ReaderSettings) -> bool:
    """Return whether a row has all the columns that the settings name."""
    names = _told_names(settings)
    return bool(names) and names <= {columns.bare(cell) for cell in cells}


def has_header(rows: Sequence[Sequence[str]], settings: ReaderSettings) -> bool | None:
    """Return whether the first row is a header; None if it is neither known as one nor plausible as data."""
    first, others = rows[0], rows[1:]
    if settings.header != "auto":
        return settings.header == "true"
    if _told_names(settings):
        return True
    if names_both(first):
        return True
    decisive = [cell if columns.matches([cell], (*LABEL_NAMES, *TEXT_NAMES)) else "" for cell in first]
    if columns.is_header(first) and not _recurs(decisive if any(decisive) else first, others):
        return True
    return None if _looks_foreign(first, others) else False


def _recurs(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether a cell of the first row recurs in its column."""
    return any(
        cell.strip() and any(position < len(row) and row[position] == cell for row in others)
        for position, cell in enumerate(first)
    )


def _looks_foreign(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row looks like names above the others rather than like one of them."""
    same = [row for row in others if len(row) == len(first)]
    shapes = shapes_of([""] * len(first), same)
    pairs = list(zip(first, shapes, strict=True))
    if len(same) < 2:
        return False
    if any(_is_name_above(cell, shape, [row[at] for row in same]) for at, (cell, shape) in enumerate(pairs)):
        return True
    if _recurs(first, same):
        return False
    if list(first) == [str(at) for at in range(len(first))]:  # pandas numbers columns without names
        return any(shape.kind == "text" for shape in shapes)
    if any(
        _is_question_above(cell, shape, [row[at] for row in same]) for at, (cell, shape) in enumerate(pairs)
    ):
        return True
    if not all(_is_short(cell) for cell in first):
        return False
    if any(shape.is_number and cell.strip() for cell, shape in pairs):
        return True
    return _is_above_labels(pairs, same)


def _is_name_above(cell: str, shape: Shape, values: Sequence[str]) -> bool:
    """Return whether a cell is a name in use, above a column of labels or of longer texts without it."""
    if not columns.is_known(cell) or cell in values:
        return False
    is_label = bool(columns.matches([cell], LABEL_NAMES))
    return shape.recurs and shape.filled >= _FEW_LABELS if is_label else shape.words > num_words(cell) + 1


def _is_question_above(cell: str, shape: Shape, values: Sequence[str]) -> bool:
    """Return whether a cell of many words, as forms ask questions, stands above a column of short labels."""
    is_column = shape.recurs and shape.filled >= 2 * _FEW_LABELS
    return is_column and num_words(cell) > _HEADER_WORDS + max(map(num_words, values))


def _is_above_labels(pairs: Sequence[tuple[str, Shape]], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether short words stand above a column of labels that all recur, or beside it above longer texts."""
    for at, (_, shape) in enumerate(pairs):
        if shape.recurs and len(rows) >= 2 * _FEW_LABELS:
            counts = collections.Counter(row[at] for row in rows)
            if min(counts.values()) > 1:
                return True
    title, longest = max(pairs, key=lambda pair: pair[1].words)
    has_labels = any(shape.recurs for _, shape in pairs) and len(rows) >= _FEW_LABELS
    return has_labels and num_words(title) < longest.words - 1


def header_below(rows: Sequence[Sequence[str]], settings: ReaderSettings) -> int | None:
    """Return the index of a header that stands below other rows, such as a title; None without one."""
    if settings.header != "auto":
        return None
    for index, row in enumerate(rows[1:_TITLE_ROWS], start=1):
        if any(map(names_both, (row, *(",".join(row).split(delimiter) for delimiter in DELIMITERS)))):
            return index
    return None


def _is_short(cell: str) -> bool:
    return (
        num_words(cell) <= _HEADER_WORDS
        and not _is_number(cell)
        and cell.strip()[-1:] not in (".", "!", "?", "。", "！", "？")
    )


def _is_number(cell: str) -> bool:
    return cell.strip().replace(".", "", 1).removeprefix("-").isdecimal()
