"""One end of a text, which ends where no token can span the cut."""

import unicodedata
from collections.abc import Callable

_BLANKS = " \n\t\r"  # separators for every tokenizer, unlike rarer ones, which some delete
_SEARCH = 2000  # characters around a limit within which to look for a safe cut

# (text, limit) → (about `limit` characters of one end of the text, whether that is the whole text)
Part = Callable[[str, int], tuple[str, bool]]


def prefix_of(text: str, limit: int) -> tuple[str, bool]:
    """Return the text up to the last separator before `limit` characters, or "" without one."""
    if len(text) <= limit:
        return text, True
    for cut in range(limit, max(0, limit - _SEARCH), -1):
        if _is_safe_cut(text, cut):
            return text[:cut], False
    return "", False


def suffix_of(text: str, limit: int) -> tuple[str, bool]:
    """Return the text from the first separator within its last `limit` characters on, or "" without one."""
    if len(text) <= limit:
        return text, True
    start = len(text) - limit
    for cut in range(start, min(len(text) - 1, start + _SEARCH)):
        if _is_safe_cut(text, cut):
            return text[cut:], False
    return "", False


def _is_safe_cut(text: str, cut: int) -> bool:
    """Return whether `cut` is at a single separator, so that no token spans it."""
    return (
        text[cut] in _BLANKS
        and not text[cut - 1].isspace()
        and not text[cut + 1 : cut + 2].isspace()
        and not unicodedata.combining(text[cut + 1 : cut + 2] or " ")
    )
