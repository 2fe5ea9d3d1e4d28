"""Answers of models that give a text any number of labels: `{"labels": [{"label", "score"}, …]}`."""

import json
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
    except ValueError:  # labels and scores of a row are joined by bars
        return any("|" in line for line in lines)


def _labels_of(record: Any) -> list[str] | None:
    entries = record.get("labels") if isinstance(record, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "label" in e for e in entries):
        return None
    return [str(entry["label"]) for entry in entries]
