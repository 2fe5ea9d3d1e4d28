"""How messages word a number of things, a moment, and the error of a library. Standard library only."""

import datetime


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with its noun, such as "1 class" and "2 classes"; `several` is `one` with an s by default."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def moment_text(moment: datetime.datetime) -> str:
    """Return a moment such as "29 November 2026, 01:26 UTC"."""
    moment = moment.astimezone(datetime.UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, at most 200 characters."""
    return str(error).strip().split("\n")[0][:200]
