"""How right the predicted labels are: by label, by threshold, and which are confused."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.metrics import wilson_interval
from bert_classifier.evaluation.multi_label.curves import precision_recall_curve
from bert_classifier.evaluation.multi_label.thresholds import LEAST_POSITIVES
from bert_classifier.evaluation.quoted_texts import shortened
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.report.multi_label.plots import precision_recall_plot
from bert_classifier.evaluation.report.section import Section

_MAX_ROWS = 20  # without a click
_MAX_CLASSES = 200
_MAX_CURVES = 12
_MAX_MATRIX_CLASSES = 20
_MAX_PAIRS = 15
_MAX_HEAD = 24  # characters of a column's name


def labels_scores_section(context: MultiLabelContext) -> Section:
    """Return the section of precision, recall, F1 and average precision per label, the lowest F1 first."""
    answers = context.answers
    precisions = context.result.average_precisions
    order = np.lexsort((answers.f1, answers.support + answers.answered == 0)).tolist()
    rows = [
        {
            "number": index + 1,
            "label": context.labels[index],
            "f1": float(answers.f1[index]),
            "precision": float(answers.precision[index]),
            "recall": float(answers.recall[index]),
            "average_precision": _known(float(precisions[index])),
            "texts": int(answers.support[index]),
            "predicted": int(answers.answered[index]),
        }
        for index in order
    ]
    return Section("label_scores", "Scores per label", _in_parts(rows))


def curves_section(context: MultiLabelContext) -> Section:
    """Return the section of precision by recall: over all labels, and of those with the lowest average precision."""
    answers, precisions = context.answers, context.result.average_precisions
    known = [index for index in np.argsort(precisions, kind="stable").tolist() if answers.support[index]]
    pooled = precision_recall_curve(context.probabilities.ravel(), answers.are_actual.ravel())
    point = (answers.micro_recall, answers.micro_precision) if answers.answered.any() else None
    values = {
        "plot": precision_recall_plot("all", pooled, point) if known else "",
        "curves": [_curve(context, index) for index in known[:_MAX_CURVES]],
        "left_out": max(0, len(known) - _MAX_CURVES),
        "mean_average_precision": context.result.mean_average_precision,
    }
    return Section("label_curves", "Precision and recall", values)


def _curve(context: MultiLabelContext, index: int) -> dict[str, Any]:
    answers = context.answers
    curve = precision_recall_curve(context.result.logits[:, index], answers.are_actual[:, index])
    point = (float(answers.recall[index]), float(answers.precision[index]))
    return {
        "label": context.labels[index],
        "average_precision": float(context.result.average_precisions[index]),
        "plot": precision_recall_plot(
            str(index + 1), curve, point if answers.answered[index] else None, is_small=True
        ),
    }


def thresholds_section(context: MultiLabelContext) -> Section:
    """Return the section of thresholds: where they come from, and how often the labels above them are right."""
    evaluation, answers = context.evaluation, context.answers
    promised = evaluation.guarantee
    rows = []
    for index, (label, origin) in enumerate(zip(context.labels, evaluation.chosen.origins, strict=True)):
        right, answered = int(answers.right[index]), int(answers.answered[index])
        rows.append(
            {
                "label": label,
                "threshold": _known(float(evaluation.thresholds[index])),
                "origin": origin.value,
                "right": right,
                "predicted": answered,
                "interval": wilson_interval(right, answered) if answered else None,
                "bound": promised.classes[index].bound if promised else None,
                "wish": promised.classes[index].wish if promised else "",
            }
        )
    values = {
        **_in_parts(rows),
        "promise": promised.sentence if promised and not context.folds else "",
        "is_promised": bool(promised) and not context.folds,
        "is_cross_fitted": evaluation.is_cross_fitted(context.channel),
        "least": LEAST_POSITIVES,
    }
    return Section("label_thresholds", "Thresholds", values)


def label_confusions_section(context: MultiLabelContext) -> Section:
    """Return the section of labels that are missed where others are predicted falsely."""
    matrix, labels = context.answers.confusions, context.labels
    is_table = len(labels) <= _MAX_MATRIX_CLASSES and matrix.any()
    missed = context.answers.missed.sum(axis=0)
    order = np.argsort(-matrix, axis=None, kind="stable")[:_MAX_PAIRS].tolist()
    pairs = [divmod(at, len(labels)) for at in order]
    values = {
        "heads": [f"{number} {shortened(label, _MAX_HEAD)}" for number, label in enumerate(labels, 1)],
        "rows": _matrix_rows(labels, matrix, missed) if is_table else [],
        "pairs": [
            {
                "missed": labels[true],
                "false": labels[false],
                "count": int(matrix[true, false]),
                "share": int(matrix[true, false]) / int(missed[true]),
            }
            for true, false in pairs
            if matrix[true, false]
        ],
        "num_pairs": int((matrix > 0).sum()),
    }
    return Section("label_confusions", "Confusions", values)


def _matrix_rows(labels: Sequence[str], matrix: np.ndarray, missed: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows of the matrix, with the square root of shares, which makes even one mistake visible."""
    return [
        {
            "number": true + 1,
            "label": label,
            "missed": int(missed[true]),
            "cells": [
                {
                    "count": count,
                    "kind": "wrong" if count else "none",
                    "share": (count / max(1, int(missed[true]))) ** 0.5,
                }
                for count in matrix[true].tolist()
            ],
        }
        for true, label in enumerate(labels)
    ]


def _in_parts(rows: Sequence[Any]) -> dict[str, Any]:
    """Return the rows that are shown at once, those that need a click, and the number of the others."""
    shown = _MAX_ROWS if len(rows) > _MAX_ROWS + 5 else len(rows)  # not a handful apart
    return {
        "rows": rows[:shown],
        "more": rows[shown:_MAX_CLASSES],
        "left_out": max(0, len(rows) - _MAX_CLASSES),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
