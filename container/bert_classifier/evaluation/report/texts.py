"""Texts as a page quotes them."""

from bert_classifier.evaluation.occlusion import Occlusion, Part
from bert_classifier.evaluation.quoted_texts import in_one, shortened

_MAX_TEXT = 280  # characters
_MAX_MARKED_TEXT = 2000  # the words that matter may stand anywhere


def quoted(text: str) -> str:
    """Return the beginning of a text, or of both parts of a pair."""
    return in_one(text, _MAX_TEXT)


def marked(occlusion: Occlusion, text: str) -> list[Part]:
    """Return a text in parts, with the influence of each where there is one; at most _MAX_MARKED_TEXT long."""
    parts, room = [], _MAX_MARKED_TEXT
    for part in occlusion.parts(text):
        if room > 0:
            parts.append(part._replace(text=shortened(part.text, room)))
        room -= len(part.text)
    return parts
