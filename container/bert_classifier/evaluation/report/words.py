"""The words that speak for each class."""

from bert_classifier.evaluation.report.context import PageContext
from bert_classifier.evaluation.report.section import Section

_MAX_ROWS = 30  # without a click
_MAX_CLASSES = 200


def words_section(context: PageContext) -> Section | None:
    """Return the section; None without words, as without a training."""
    words = context.words
    if not words or not any(words.by_class):
        return None
    rows = [(label, found) for label, found in zip(context.labels, words.by_class, strict=True) if found]
    values = {
        "rows": rows[:_MAX_ROWS],
        "more": rows[_MAX_ROWS:_MAX_CLASSES],
        "left_out": max(0, len(rows) - _MAX_CLASSES),
        "without": len(context.labels) - len(rows),
        "looked_at": words.looked_at,
        "texts": words.texts,
        "telling": words.telling(context.labels),
    }
    return Section("words", "Words that speak for each class", values)
