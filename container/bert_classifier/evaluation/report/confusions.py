"""Which classes are taken for which: the confusion matrix, the most frequent confusions, and the texts behind them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.confusions import Confusion
from bert_classifier.evaluation.quoted_texts import shortened
from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.report.section import Section

_MAX_MATRIX_CLASSES = 20  # with more, the matrix is a plot
_MAX_HEAD = 24  # characters of a column's name


def confusions_section(context: ReportContext) -> Section:
    """Return the section; its texts are the wrong predictions of the most frequent confusions."""
    matrix = context.result.confusion
    is_table = len(context.labels) <= _MAX_MATRIX_CLASSES
    values = {
        "heads": [
            f"{number} {shortened(label, _MAX_HEAD)}" for number, label in enumerate(context.labels, start=1)
        ],
        "rows": _rows(context.labels, matrix) if is_table else [],
        "map": "" if is_table else plots.confusion_map(matrix),
        "pairs": [_pair(context, pair) for pair in context.confusions],
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


def _pair(context: ReportContext, pair: Confusion) -> dict[str, Any]:
    labels = context.labels
    return {"true": labels[pair.label], "predicted": labels[pair.predicted], "of": pair}
