"""Divide texts into words as people see them, without knowing their language.

A word is what stands between blanks, punctuation and symbols of ASCII; emoji are words. Where a script has no blanks
between words, pieces of its runs stand for them: two characters of Chinese and Japanese, most of whose words are that
long, and four of Thai, Lao, Khmer and Burmese, about a syllable.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Apostrophes and hyphens belong to a word where they stand between its letters.
_SEPARATOR = (
    r"\s\x00-\x1f!-/:-@\[-`{-\x7f\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u200b\u200e-\u206f"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965\u0e2f\u0e46\u0e4f\u0e5a\u0e5b\u3000-\u3004\u3006-\u3020\u3030\u303d"
    r"\u30fb\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\ufeff\ufffd"
)
_PAIRED = (
    r"\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
_LONG = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_INNER = "['\u2019-]"
_LETTER = f"[^{_SEPARATOR}{_PAIRED}{_LONG}]"
_WORD = re.compile(f"{_LETTER}+(?:{_INNER}{_LETTER}+)*|(?P<paired>[{_PAIRED}]+)|(?P<long>[{_LONG}]+)")
_PAIR, _SYLLABLE = 2, 4  # characters


class Span(NamedTuple):
    """A part of a text: text[start:end]."""

    start: int
    end: int


def spans_of(text: str) -> Iterator[Span]:
    """Yield the words of a text, in order, without overlaps."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        length = _length_of_piece(match) or end - start
        for at in range(start, end, length):
            yield Span(at, min(at + length, end))


def words_of(text: str) -> set[str]:
    """Return the distinct words of a text as they are written; of scripts without blanks all overlapping pieces."""
    found = set()
    for match in _WORD.finditer(text):
        length = _length_of_piece(match)
        word = match[0]
        if not length or len(word) <= length:
            found.add(word)
        else:
            found.update(word[at : at + length] for at in range(len(word) - length + 1))
    return found


def _length_of_piece(match: re.Match[str]) -> int:
    """Return the characters of a piece of a run of letters; 0 if the whole run is a word."""
    return {"paired": _PAIR, "long": _SYLLABLE}.get(match.lastgroup or "", 0)
