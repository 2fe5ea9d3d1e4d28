"""Answers of models that give a text any number of labels: `{"labels": [{"label", "score"}, …]}`."""

import csv
import itertools
import json
from collections.abc import Sequence
from typing import Any


def label_sets(value: Any) -> list[list[str]] | None:
    """Return the labels of each record of an answer, in its order; None for the answer of another kind of model."""
    records = value if isinstance(value, list) else [value]
    found = [_labels_of(record) for record in records]
    return [labels for labels in found if labels is not None] if found and None not in found else None


def has_label_sets(body: bytes) -> bool:
    """Return whether an answer of JSON, JSON Lines or CSV is one of such a model."""
    text = body.decode("utf-8", "replace")
    try:
        return label_sets(json.loads(text)) is not None
    except ValueError:
        pass
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return bool(lines) and all(label_sets(json.loads(line)) is not None for line in lines)
    except ValueError:
        return any(map(_has_joined_scores, csv.reader(lines)))


def _has_joined_scores(row: Sequence[str]) -> bool:
    """Return whether a row has several labels, joined by bars, and as many scores; a label alone may have a bar."""
    parts = [next(csv.reader([cell], delimiter="|"), []) for cell in row]
    return any(
        len(labels) == len(scores) > 1 and all(map(_is_score, scores))
        for labels, scores in itertools.pairwise(parts)
    )


def _is_score(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _labels_of(record: Any) -> list[str] | None:
    entries = record.get("labels") if isinstance(record, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "label" in e for e in entries):
        return None
    return [str(entry["label"]) for entry in entries]
