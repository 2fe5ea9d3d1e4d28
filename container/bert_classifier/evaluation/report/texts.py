"""Texts as a page quotes them."""

from bert_classifier.evaluation.tables import shortened

_MAX_TEXT = 280  # characters


def quoted(text: str) -> str:
    """Return the beginning of a text."""
    return shortened(text, _MAX_TEXT)
