"""How a model answers that gives a text any number of labels: an object with a list, or cells with joined values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bert_classifier.drift.answer_rows import score_of
from bert_classifier.job.answer_form import parted

COLUMNS = ["labels", "scores", "error"]  # the last ones of a row
_WIDTH = len(COLUMNS)
_ROUNDED = 1e-5  # what rounding changes at most in a score


def is_label_set(value: dict[str, Any]) -> bool:
    """Return whether an object is such an answer."""
    labels = value.get("labels")
    if not isinstance(labels, list) or "predicted_label" in value:
        return False
    return all(isinstance(entry, dict) and "label" in entry for entry in labels)


def has_names(row: Sequence[str]) -> bool:
    """Return whether a row ends with the names of such cells."""
    return list(row[-_WIDTH:]) == COLUMNS


def are_joined(rows: Sequence[Sequence[str]], thresholds: Mapping[str, float]) -> bool:
    """Return whether rows end with labels of the model, as many scores, and an error where they have neither.

    Rows of one label each, of which some are below their threshold, are lists of the most likely class.
    """
    found = [_joined_in(row, thresholds) for row in rows]
    labels = [pair for pairs in found for pair in pairs or ()]
    are_one_each = any(found) and all(pairs is not None and len(pairs) < 2 for pairs in found)
    is_list = are_one_each and any(score < thresholds[label] - _ROUNDED for label, score in labels)
    return None not in found and not is_list


def _joined_in(row: Sequence[str], known: Collection[str]) -> list[tuple[str, float]] | None:
    if len(row) < _WIDTH:
        return None
    labels, given, error = (parted(cell) for cell in row[-_WIDTH:])
    scores = [score for score in map(score_of, given) if score is not None]
    is_whole = len(labels) == len(given) == len(scores) and not (labels and error)
    return [*zip(labels, scores, strict=True)] if is_whole and {*labels} <= {*known} else None


def labels_in(row: Sequence[str]) -> list[str] | None:
    """Return the labels of a row; None where it has an error instead, or is cut."""
    if len(row) < _WIDTH or row[-1]:
        return None
    return parted(row[-_WIDTH])
