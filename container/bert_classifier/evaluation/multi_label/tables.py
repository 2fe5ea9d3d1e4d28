"""The tables of an evaluation with several labels per text, as CSV."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.multi_label.mistakes import LabelDoubt, LabelSetMistake
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.quoted_texts import text_cells, text_columns
from bert_classifier.evaluation.tables import LONGEST_TEXT, MOST_ROWS, write_csv
from bert_classifier.job.answer_form import joined


def write_label_confusions(path: Path, labels: Sequence[str], answers: LabelPredictions) -> None:
    """Write how often which label was missed where which was given falsely: a row for each missed label.

    A text counts in each cell of its missed and false labels; "no other" counts those that only miss the label.
    """
    alone = (answers.missed & ~answers.false.any(axis=1, keepdims=True)).sum(axis=0)
    rows = zip(
        labels, answers.missed.sum(axis=0).tolist(), alone.tolist(), answers.confusions.tolist(), strict=True
    )
    header = ["missed \\ given falsely", "texts", "no other", *labels]
    write_csv(path, header, ([label, texts, none, *counts] for label, texts, none, counts in rows))


def write_per_label(
    path: Path,
    labels: Sequence[str],
    answers: LabelPredictions,
    average_precisions: np.ndarray,
    errors: np.ndarray,
    thresholds: np.ndarray,
) -> None:
    """Write the scores of each label, its texts and its predictions; a cell is empty where there is none.

    Args:
        average_precisions: float64 (classes,), NaN where no text has the label.
        errors: float64 (classes,), its expected calibration error.
        thresholds: float64 (classes,), inf where the label is never predicted.
    """
    columns = (
        answers.precision, answers.recall, answers.f1, average_precisions, thresholds, errors, answers.support,
        answers.answered,
    )  # fmt: skip
    header = [
        "class", "precision", "recall", "f1", "average_precision", "threshold", "calibration_error", "texts",
        "predicted",
    ]  # fmt: skip
    rows = zip(labels, *(column.tolist() for column in columns), strict=True)
    write_csv(path, header, ([label, *map(_known, cells)] for label, *cells in rows))


def _known(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def write_label_set_mistakes(
    path: Path,
    labels: Sequence[str],
    answers: LabelPredictions,
    mistakes: Sequence[LabelSetMistake],
    records: Records,
) -> None:
    """Write the texts that are not answered with exactly their labels, at most MOST_ROWS."""
    header = ["place", "true", "predicted", "missed", "false", "error", *text_columns(records.texts)]
    write_csv(
        path,
        header,
        (
            [
                records.places[each.index], in_one_cell(labels, answers.are_actual[each.index]),
                in_one_cell(labels, answers.predicted[each.index]), joined([labels[i] for i in each.missed]),
                joined([labels[i] for i in each.false]), each.error,
                *text_cells(records.texts[each.index], LONGEST_TEXT),
            ]
            for each in mistakes[:MOST_ROWS]
        ),
    )  # fmt: skip


def write_label_doubts(
    path: Path, labels: Sequence[str], doubts: Sequence[LabelDoubt], records: Records
) -> None:
    """Write the labels that may be wrong, one a row, at most MOST_ROWS."""
    header = ["place", "label", "given", "suggested", "score", *text_columns(records.texts)]
    words = ("no", "yes")
    write_csv(
        path,
        header,
        (
            [
                records.places[each.index], labels[each.label], words[each.is_given], words[not each.is_given],
                each.score, *text_cells(records.texts[each.index], LONGEST_TEXT),
            ]
            for each in doubts[:MOST_ROWS]
        ),
    )  # fmt: skip


def write_label_predictions(
    path: Path,
    labels: Sequence[str],
    answers: LabelPredictions,
    probabilities: np.ndarray,
    places: Sequence[str],
) -> None:
    """Write the place, true and predicted labels of each text, and the scores of these."""
    rows = (
        [
            place, in_one_cell(labels, actual), in_one_cell(labels, predicted),
            joined([f"{score:.6g}" for score in scores[predicted].tolist()]),
        ]
        for place, actual, predicted, scores in zip(
            places, answers.are_actual, answers.predicted, probabilities, strict=True
        )
    )  # fmt: skip
    write_csv(path, ["place", "true", "predicted", "scores"], rows)


def in_one_cell(labels: Sequence[str], are_there: np.ndarray) -> str:
    """Return the labels of a row, bool (classes,), in one cell, as the server joins them; `parted` undoes it."""
    return joined([labels[index] for index in np.flatnonzero(are_there).tolist()])
