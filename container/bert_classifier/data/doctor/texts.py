"""Properties of a single text: its key for equality, and encoding damage."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from html.entities import html5

import numpy as np

from bert_classifier.data.text_pair import SEPARATOR, TextPair

# UTF-8 read as Latin-1 or Windows-1252 turns lead bytes into letters and continuation bytes into these characters.
_SIGN = "[\u0080-\u00bfŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]"
# Intact texts can also have some of them after such a letter (MAÇÃ”, 2 Å wide): these do not count.
_MOJIBAKE = re.compile(
    f"[ÂÃ](?![\u00bb–—‘’“”•…](?:\\W|$)){_SIGN}|[ÄÅ](?![\u00a0\u00bb–—‘’“”•…]){_SIGN}"
    f"|(?:[ÎÏÐÑ]{_SIGN}){{2}}"  # Greek and Cyrillic come in runs,
    f"|(?:[ã-ï]{_SIGN}{{2}}){{2}}"  # other scripts too;
    f"|â[€„‚†‡ˆ‰Šœ™š\u0080-\u009f]{_SIGN}|ï»¿|ï¿½|ð[Ÿ\u009f]{_SIGN}{{2}}"  # punctuation, marks, emoji do not
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# The last form is an entity that lost its &: #39; for an apostrophe.
_ENTITY = re.compile(
    r"&([a-zA-Z]{2,8};)|&#(?:[0-9]{2,6}|[xX][0-9a-fA-F]{2,6});|(?<![\w&])#(?:3[4-9]|60|62|8[0-9]{3});"
)
_ID = re.compile(r"(?=\S*[0-9])[\w.:/-]{3,}")

# What casefold makes of each ASCII character, and a blank for each that split() takes for white space.
_FOLDED = bytes(32 if chr(code).isspace() else ord(chr(code).lower()) for code in range(128)) + bytes(128)

KINDS = ("mojibake", "replacement", "control", "bom", "entity")


def normalised(text: str) -> str:
    """Normalise case, white space and Unicode form (NFKC)."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def normalised_utf8(text: str) -> bytes:
    """Return normalised(text) in UTF-8; of ASCII in a third of the time."""
    if not text.isascii():
        return normalised(text).encode()
    folded = text.encode().translate(_FOLDED).strip()
    return b" ".join(folded.split()) if b"  " in folded else folded


def keys_of(texts: Sequence[str]) -> np.ndarray:
    """Return a 64-bit digest of each normalised text, uint64 (n,): equal texts, equal keys.

    Among a million distinct texts, the probability that two share a key is 3 in 100 million.
    """
    return _digests(map(normalised_utf8, texts))


def pair_keys_of(pairs: Iterable[TextPair]) -> np.ndarray:
    """Return a digest of each pair of normalised texts, uint64 (n,), as keys_of does."""
    sides = ((normalised_utf8(pair.first), normalised_utf8(pair.second)) for pair in pairs)
    return _digests(map(SEPARATOR.encode().join, sides))


def _digests(raw: Iterable[bytes]) -> np.ndarray:
    digests = (hashlib.blake2b(text, digest_size=8).digest() for text in raw)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def damage_in(text: str) -> list[str]:
    """Return the KINDS of encoding damage in a text."""
    kinds = []
    if not text.isascii():
        kinds += ["mojibake"] if _MOJIBAKE.search(text) else []
        kinds += ["replacement"] if "\ufffd" in text else []
    if not text.isprintable():  # faster than the search, and rarely true
        kinds += ["control"] if _CONTROL.search(text) else []
        kinds += ["bom"] if "\ufeff" in text else []
    if ";" in text and any(match[1] is None or match[1] in html5 for match in _ENTITY.finditer(text)):
        kinds.append("entity")
    return kinds


def is_bare(text: str) -> bool:
    """Say whether a text has no word: fewer than three characters, or no letter."""
    text = text.strip()
    return len(text) < 3 or not any(map(str.isalpha, text))


def looks_like_id(text: str) -> bool:
    """Say whether a text is one word with a digit in it, such as A-1003."""
    return _ID.fullmatch(text.strip()) is not None
