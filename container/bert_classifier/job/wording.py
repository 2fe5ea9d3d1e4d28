"""How messages word a number of things, a moment, and the error of a library. Standard library only."""

import datetime
from collections.abc import Sequence

from bert_classifier.job.settings import shown

_MOST_NAMED = 10


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with its noun, such as "1 class" and "2 classes"; `several` is `one` with an s by default."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def enumerated(items: Sequence[str], most: int = _MOST_NAMED, count: int | None = None) -> str:
    """Return the first items in one line, and how many more there are.

    Args:
        most: items named.
        count: of all of them, where `items` holds only the first.
    """
    more = (len(items) if count is None else count) - len(items[:most])
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def listed(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Return the first names of labels or columns, each in quotes since it may hold a comma, and how many more."""
    return enumerated([*map(shown, names[:most])], most, len(names))


def moment_text(moment: datetime.datetime) -> str:
    """Return a moment such as "29 November 2026, 01:26 UTC"."""
    moment = moment.astimezone(datetime.UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, at most 200 characters."""
    return str(error).strip().split("\n")[0][:200]
