"""How a model answers that gives a text any number of labels: an object with a list, or cells with joined values."""

from collections.abc import Collection, Sequence
from typing import Any

from bert_classifier.drift.answer_rows import score_of
from bert_classifier.job.answer_form import parted

COLUMNS = ["labels", "scores", "error"]  # the last ones of a row
_WIDTH = len(COLUMNS)


def is_label_set(value: dict[str, Any]) -> bool:
    """Return whether an object is such an answer."""
    labels = value.get("labels")
    if not isinstance(labels, list) or "predicted_label" in value:
        return False
    return all(isinstance(entry, dict) and "label" in entry for entry in labels)


def has_names(row: Sequence[str]) -> bool:
    """Return whether a row ends with the names of such cells."""
    return list(row[-_WIDTH:]) == COLUMNS


def is_joined(row: Sequence[str], known: Collection[str]) -> bool:
    """Return whether a row ends with labels of the model, as many scores, and an error where it has neither."""
    if len(row) < _WIDTH:
        return False
    labels, scores, error = (parted(cell) for cell in row[-_WIDTH:])
    are_scores = all(score_of(score) is not None for score in scores)
    return set(labels) <= {*known} and len(labels) == len(scores) and are_scores and not (labels and error)


def labels_in(row: Sequence[str]) -> list[str] | None:
    """Return the labels of a row; None where it has an error instead, or is cut."""
    if len(row) < _WIDTH or row[-1]:
        return None
    return parted(row[-_WIDTH])
