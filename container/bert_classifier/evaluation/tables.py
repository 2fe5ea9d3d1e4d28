"""The tables of an evaluation as CSV, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bert_classifier.data.examples import Records
from bert_classifier.evaluation.calibration import highest_scores
from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.quoted_texts import text_cells, text_columns

MOST_ROWS = 10_000  # of mistakes and label errors; the worst ones are kept
LONGEST_TEXT = 1000  # characters
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | int | float]]) -> None:
    """Write a table, with an apostrophe before text that a spreadsheet would take for a formula."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(_harmless, header))
        writer.writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: str | float) -> str | int | float:
    """Guard text, and shorten numbers to six significant digits."""
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_confusion(path: Path, labels: Sequence[str], result: Evaluation) -> None:
    """Write the confusion matrix: a row for each true class."""
    rows = zip(labels, result.confusion.tolist(), strict=True)
    write_csv(path, ["true \\ predicted", *labels], ([label, *counts] for label, counts in rows))


def write_per_class(path: Path, labels: Sequence[str], result: Evaluation) -> None:
    """Write precision, recall and F1 of each class, its texts and its predictions."""
    columns = (result.precision, result.recall, result.f_score(1.0), *_supports(result))
    rows = zip(labels, *(column.tolist() for column in columns), strict=True)
    write_csv(path, ["class", "precision", "recall", "f1", "texts", "predicted"], rows)


def _supports(result: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    return result.confusion.sum(axis=1), result.confusion.sum(axis=0)


def write_label_issues(
    path: Path,
    words: tuple[str, str],
    labels: Sequence[str],
    label_issues: Sequence[LabelIssue],
    records: Records,
) -> None:
    """Write label issues, at most MOST_ROWS.

    Args:
        words: names of the columns of label and answer.
    """
    header = ["place", *words, f"{words[0]}_score", f"{words[1]}_score", *text_columns(records.texts)]
    write_csv(
        path,
        header,
        (
            [
                records.places[s.index], labels[s.label], labels[s.answer], s.label_score, s.answer_score,
                *text_cells(records.texts[s.index], LONGEST_TEXT),
            ]
            for s in label_issues[:MOST_ROWS]
        ),
    )  # fmt: skip


def write_predictions(
    path: Path, labels: Sequence[str], result: Evaluation, temperature: float, places: Sequence[str]
) -> None:
    """Write the place, true and predicted class, and score of each text."""
    scores = highest_scores(result.logits, temperature)
    answers = zip(places, result.targets.tolist(), result.predicted.tolist(), scores.tolist(), strict=True)
    rows = ([place, labels[target], labels[answer], score] for place, target, answer, score in answers)
    write_csv(path, ["place", "true", "predicted", "score"], rows)
