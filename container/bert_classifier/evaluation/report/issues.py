"""The texts to look at: the worst mistakes, and labels that are likely wrong."""

from typing import Any

from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.occlusion import Occlusion
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import marked, quoted

_MAX_SHOWN = 25
# Below this accuracy, or with fewer texts, a model's doubts say more about the model than about the labels.
_MOSTLY_RIGHT, _MANY_TEXTS = 0.95, 100


def mistakes_section(context: ReportContext) -> Section:
    """Return the section with the wrong predictions of the highest score, and the words that they hang on."""
    shown = [
        _text(context, issue, context.occlusions.get(issue.index)) for issue in context.mistakes[:_MAX_SHOWN]
    ]
    values = {
        "texts": shown,
        "count": len(context.mistakes),
        "are_marked": any(text["parts"] for text in shown),
        "examined": len(context.occlusions),
    }
    return Section("mistakes", "Worst mistakes", values)


def labels_section(context: ReportContext) -> Section:
    """Return the section with the labels that are likely wrong."""
    result = context.result
    is_mostly_right, are_many = result.accuracy >= _MOSTLY_RIGHT, result.count >= _MANY_TEXTS
    return Section(
        "labels",
        "Likely label errors" if is_mostly_right and are_many else "Labels that the model doubts",
        {
            "texts": [_text(context, issue) for issue in context.label_errors[:_MAX_SHOWN]],
            "count": len(context.label_errors),
            "is_mostly_right": is_mostly_right,
            "accuracy": result.accuracy,
            "judged": result.count,
            "are_many": are_many,
        },
    )


def _text(context: ReportContext, issue: LabelIssue, occlusion: Occlusion | None = None) -> dict[str, Any]:
    text = context.records.texts[issue.index]
    return {
        "place": context.records.places[issue.index],
        "label": context.labels[issue.label],
        "answer": context.labels[issue.answer],
        "label_score": issue.label_score,
        "answer_score": issue.answer_score,
        "text": quoted(text),
        "parts": marked(occlusion, text) if occlusion and occlusion.influences else [],
        "skipped": occlusion.skipped if occlusion else "",
    }
