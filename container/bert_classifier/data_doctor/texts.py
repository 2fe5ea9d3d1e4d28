"""One text on its own: when two count as the same, and what went wrong when it was saved."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

# UTF-8 read as Latin-1 or Windows-1252: a first byte of two, three or four as a letter, the others as signs.
_SIGNS = "\u0080-\u00bfŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™"
# These end words in good texts too (MAÇÃ”), so after one of them a letter must follow.
_ENDS = "\u0085\u0091-\u0097\u00bb–—‘’“”•…"
_MOJIBAKE = re.compile(
    f"[ÂÃ](?:(?![{_ENDS}])[{_SIGNS}]|[{_ENDS}](?=\\w))"
    f"|[â-ï][{_SIGNS}]{{2}}|ð[{_SIGNS}]{{3}}|(?:[ÐÑ][{_SIGNS}]){{2}}"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#[0-9]{2,6}|#x[0-9a-f]{2,6});|(?<!\w)#[0-9]{2,5};", re.IGNORECASE)
_ID = re.compile(r"(?=\S*[0-9])[\w.:/-]{3,}")

KINDS = ("mojibake", "replacement", "control", "bom", "entity")


def normalised(text: str) -> str:
    """Return what two texts have in common if they differ in case, blanks or Unicode spelling only (NFKC)."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def keys_of(texts: Sequence[str]) -> np.ndarray:
    """Return a 64-bit digest of each normalised text, uint64 (n,): equal texts, equal keys.

    Among a million different texts, two share a key with a chance of 3 in 100 million.
    """
    digests = (hashlib.blake2b(normalised(text).encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def trouble_in(text: str) -> list[str]:
    """Return which of KINDS a text shows, most telling first."""
    found = []
    if not text.isascii():
        found += ["mojibake"] if _MOJIBAKE.search(text) else []
        found += ["replacement"] if "\ufffd" in text else []
    if not text.isprintable():  # quicker than to search, and true of most texts
        found += ["control"] if _CONTROL.search(text) else []
        found += ["bom"] if "\ufeff" in text else []
    if ";" in text and _ENTITY.search(text):
        found.append("entity")
    return found


def is_bare(text: str) -> bool:
    """Say whether a text has no word: fewer than three characters, or no letter."""
    text = text.strip()
    return len(text) < 3 or not any(map(str.isalpha, text))


def looks_like_id(text: str) -> bool:
    """Say whether a text is one word with a digit in it, such as A-1003."""
    return _ID.fullmatch(text.strip()) is not None
