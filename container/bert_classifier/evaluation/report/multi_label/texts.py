"""The texts to look at with several labels per text: the worst mistakes, and labels that are likely wrong."""

from collections.abc import Sequence
from typing import Any

from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import quoted

_MAX_SHOWN = 25
_MAX_LABELS = 8  # named beside a text
# Above this share of wrong answers, or with fewer texts, a model's doubts say more about the model than about labels.
_SELDOM_WRONG, _MANY_TEXTS = 0.05, 100


def label_mistakes_section(context: MultiLabelContext) -> Section:
    """Return the section with the texts that are not answered with exactly their labels, the surest mistake first."""
    shown = [
        {
            "place": context.records.places[each.index],
            "text": quoted(context.records.texts[each.index]),
            "missed": _scored(context, each.index, each.missed),
            "false": _scored(context, each.index, each.false),
        }
        for each in context.mistakes[:_MAX_SHOWN]
    ]
    return Section("label_mistakes", "Worst mistakes", {"texts": shown, "count": len(context.mistakes)})


def label_doubts_section(context: MultiLabelContext) -> Section:
    """Return the section with the labels that are likely wrong."""
    loss, count = context.answers.hamming_loss, context.answers.count
    is_mostly_right, are_many = loss <= _SELDOM_WRONG, count >= _MANY_TEXTS
    shown = [
        {
            "place": context.records.places[each.index],
            "text": quoted(context.records.texts[each.index]),
            "label": context.labels[each.label],
            "is_given": each.is_given,
            "score": each.score,
        }
        for each in context.doubts[:_MAX_SHOWN]
    ]
    title = "Likely label errors" if is_mostly_right and are_many else "Labels that the model doubts"
    values = {
        "texts": shown,
        "count": len(context.doubts),
        "is_mostly_right": is_mostly_right,
        "are_many": are_many,
        "hamming_loss": loss,
        "judged": count,
    }
    return Section("label_doubts", title, values)


def _scored(context: MultiLabelContext, index: int, labels: Sequence[int]) -> dict[str, Any]:
    """Return the first labels with their scores, and how many there are besides."""
    scores = context.probabilities[index]
    named = [(context.labels[label], float(scores[label])) for label in labels[:_MAX_LABELS]]
    return {"labels": named, "more": max(0, len(labels) - _MAX_LABELS)}
