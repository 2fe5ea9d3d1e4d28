"""Texts as a page quotes them."""

from bert_classifier.evaluation.occlusion import Occlusion
from bert_classifier.evaluation.tables import shortened

_MAX_TEXT = 280  # characters
_MAX_MARKED_TEXT = 2000  # the words that matter may stand anywhere


def quoted(text: str) -> str:
    """Return the beginning of a text."""
    return shortened(text, _MAX_TEXT)


def marked(occlusion: Occlusion, text: str) -> list[tuple[str, float]]:
    """Return a text in parts, each with how far the score falls without it, or 0; at most _MAX_MARKED_TEXT long."""
    parts, room = [], _MAX_MARKED_TEXT
    for part, drop in occlusion.parts(text):
        if room > 0:
            parts.append((shortened(part, room), drop))
        room -= len(part)
    return parts
