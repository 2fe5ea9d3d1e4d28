"""The texts to look at: the worst mistakes, and labels that are likely wrong."""

from collections.abc import Sequence
from typing import Any

from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import quoted

_MAX_SHOWN = 25
_MOSTLY_RIGHT = 0.8  # accuracy below which its label issues say more about the model than about the labels


def mistakes_section(context: ReportContext) -> Section:
    """Return the section with the wrong predictions of the highest score."""
    return Section("mistakes", "Worst mistakes", _values(context, context.mistakes))


def labels_section(context: ReportContext) -> Section:
    """Return the section with the labels that are likely wrong."""
    is_mostly_right = context.result.accuracy >= _MOSTLY_RIGHT
    return Section(
        "labels",
        "Likely label errors" if is_mostly_right else "Labels that the model doubts",
        {
            **_values(context, context.label_errors),
            "is_mostly_right": is_mostly_right,
            "accuracy": context.result.accuracy,
        },
    )


def _values(context: ReportContext, issues: Sequence[LabelIssue]) -> dict[str, Any]:
    return {"texts": [_text(context, issue) for issue in issues[:_MAX_SHOWN]], "count": len(issues)}


def _text(context: ReportContext, issue: LabelIssue) -> dict[str, Any]:
    return {
        "place": context.records.places[issue.index],
        "label": context.labels[issue.label],
        "answer": context.labels[issue.answer],
        "label_score": issue.label_score,
        "answer_score": issue.answer_score,
        "text": quoted(context.records.texts[issue.index]),
    }
