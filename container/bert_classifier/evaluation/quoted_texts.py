"""Texts as tables and pages quote them: shortened, and both parts of a pair."""

from collections.abc import Sequence

from bert_classifier.data.text_pair import TextPair

TEXT, TEXT_PAIR = "text", "text_pair"


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, with … where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_columns(texts: Sequence[str]) -> list[str]:
    """Return the names of the columns for texts: two where they are pairs."""
    return [TEXT, TEXT_PAIR] if are_pairs(texts) else [TEXT]


def text_cells(text: str, limit: int) -> list[str]:
    """Return the cells of a text, each part at most `limit` characters long."""
    parts = (text.first, text.second) if isinstance(text, TextPair) else (text,)
    return [shortened(part, limit) for part in parts]


def in_one(text: str, limit: int) -> str:
    """Return a text for a page, a pair in two numbered lines, each part at most `limit` characters long."""
    cells = text_cells(text, limit)
    return cells[0] if len(cells) == 1 else "\n".join(f"{n}: {cell}" for n, cell in enumerate(cells, 1))


def are_pairs(texts: Sequence[str]) -> bool:
    """Return whether texts are pairs, which all are or none."""
    return len(texts) > 0 and isinstance(texts[0], TextPair)
