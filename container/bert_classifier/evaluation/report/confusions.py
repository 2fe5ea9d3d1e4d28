"""Which classes are taken for which: the confusion matrix, the most frequent confusions, and the texts behind them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.section import Section
from bert_classifier.evaluation.report.texts import quoted
from bert_classifier.evaluation.tables import shortened

_MAX_MATRIX_CLASSES = 20  # with more, the matrix is a plot
_MAX_PAIRS = 15
_MAX_TEXTS = 10  # of a pair
_MAX_HEAD = 24  # characters of a column's name


def confusions_section(context: ReportContext) -> Section:
    """Return the section; its texts are the wrong predictions of the most frequent confusions."""
    matrix = context.result.confusion
    is_table = len(context.labels) <= _MAX_MATRIX_CLASSES
    pairs = _confused_pairs(matrix)
    values = {
        "heads": [
            f"{number} {shortened(label, _MAX_HEAD)}" for number, label in enumerate(context.labels, start=1)
        ],
        "rows": _rows(context.labels, matrix) if is_table else [],
        "map": "" if is_table else plots.confusion_map(matrix),
        "pairs": [_pair(context, true, predicted) for true, predicted in pairs],
        "num_pairs": int((matrix > 0).sum() - (np.diag(matrix) > 0).sum()),
    }
    return Section("confusions", "Confusions", values)


def _rows(labels: Sequence[str], matrix: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"number": true + 1, "label": label, "cells": _cells(true, matrix[true].tolist())}
        for true, label in enumerate(labels)
    ]


def _cells(true: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    total = max(1, sum(counts))
    return [
        {"count": count, "kind": "right", "share": count / total}
        if predicted == true
        # The square root makes even one mistake among thousands visible.
        else {"count": count, "kind": "wrong" if count else "none", "share": (count / total) ** 0.5}
        for predicted, count in enumerate(counts)
    ]


def _confused_pairs(matrix: np.ndarray) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with the most mistakes, at most _MAX_PAIRS."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MAX_PAIRS]
    pairs = [divmod(int(flat), len(wrong)) for flat in order]
    return [pair for pair in pairs if wrong[pair]]


def _pair(context: ReportContext, true: int, predicted: int) -> dict[str, Any]:
    matrix, labels = context.result.confusion, context.labels
    texts = int(matrix[true, predicted])
    behind = [issue for issue in context.mistakes if (issue.label, issue.answer) == (true, predicted)]
    return {
        "true": labels[true],
        "predicted": labels[predicted],
        "texts": texts,
        "share": texts / int(matrix[true].sum()),
        "examples": [_example(context, issue) for issue in behind[:_MAX_TEXTS]],
    }


def _example(context: ReportContext, issue: LabelIssue) -> dict[str, Any]:
    return {
        "place": context.records.places[issue.index],
        "score": issue.answer_score,
        "text": quoted(context.records.texts[issue.index]),
    }
