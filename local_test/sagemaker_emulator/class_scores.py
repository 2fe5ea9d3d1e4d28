"""Whether answers list the scores of all classes, whatever their form and its names."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from sagemaker_emulator.client_judgements import Pair, Seen, judge_answered
from sagemaker_emulator.label_sets import has_label_sets
from sagemaker_emulator.splitting import are_alike

_ROUNDING = 0.02  # of a sum of scores that were rounded
_SEEN = {"from 0 to 1": "each from 0 to 1", "that sum to 1": "which sum to 1"}


def without_parameters(body: bytes) -> bytes:
    """Return a body without what a JSON object says about the answer, such as top_k."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not (isinstance(value, dict) and "parameters" in value):
        return body
    return json.dumps({name: part for name, part in value.items() if name != "parameters"}).encode()


def judge_classes(pairs: Sequence[Pair], several_labels: bool | None = None) -> Seen:
    """Judge whether all answers list as many scores for each record; None where they are the usual ones.

    Args:
        several_labels: whether a text may have any number, so that each class has a score of its own; None = not known:
            the usual answers show it. In CSV they do not where each text has one label.
    """
    holds, seen = judge_answered(pairs)
    if not holds:
        return holds, seen
    if all(are_alike(answer.body, usual.body) for _, answer, usual in pairs):
        return None, "the answers are the usual ones: there are no classes, or the variable is not honoured"
    if several_labels is None:
        several_labels = any(has_label_sets(usual.body) for _, _, usual in pairs)
    count, what = (row_counts, "from 0 to 1") if several_labels else (class_counts, "that sum to 1")
    counts = [(name, count(numbers_of_records(answer.body)), answer) for name, answer, _ in pairs]
    bad = [f"{name}: no scores {what}: {answer.summary()}" for name, found, answer in counts if not found]
    if bad:
        return False, "; ".join(bad)
    shared = set.intersection(*(found for _, found, _ in counts))
    if not shared:
        return False, ", ".join(f"{name}: {max(found)} per record" for name, found, _ in counts)
    return (
        True,
        f"{max(shared)} scores per record in {len(pairs)} answer{'s' * (len(pairs) > 1)}, {_SEEN[what]}",
    )


def class_counts(records: Sequence[Sequence[float]]) -> set[int]:
    """Return how many neighbours, at the same places of all records, sum to 1; a label may be a number too."""
    if len({len(record) for record in records}) != 1:
        return set()
    columns = list(zip(*records, strict=True))
    counts = set()
    for start in range(len(columns)):
        sums = [0.0] * len(records)
        for count, column in enumerate(columns[start:], start=1):
            if not all(0 <= score <= 1 for score in column):
                break
            sums = [total + score for total, score in zip(sums, column, strict=True)]
            if count > 1 and all(abs(total - 1) <= _ROUNDING for total in sums):
                counts.add(count)
    return counts


def row_counts(records: Sequence[Sequence[float]]) -> set[int]:
    """Return how many numbers each record has, if all have as many and these may be scores."""
    lengths = {len(record) for record in records}
    are_scores = all(0 <= score <= 1 for record in records for score in record)
    return lengths - {0, 1} if len(lengths) == 1 and are_scores else set()


def numbers_of_records(body: bytes) -> list[list[float]]:
    """Return the numbers of each record of an answer: of JSON, JSON Lines, or rows of CSV."""
    text = body.decode("utf-8", "replace")
    try:
        return [_numbers(part) for part in _records(json.loads(text))]
    except ValueError:
        pass
    try:
        return [_numbers(json.loads(line)) for line in text.splitlines() if line.strip()]
    except ValueError:
        return [_numbers(list(map(_value, row))) for row in csv.reader(io.StringIO(text)) if row]


def _records(whole: Any) -> list[Any]:
    """Return the records of a JSON answer: a list, or an object that holds a list of objects, or one alone."""
    lists = list(whole.values()) if isinstance(whole, dict) else [whole]
    if isinstance(whole, dict):
        lists = [part for part in lists if isinstance(part, list) and part and isinstance(part[0], dict)]
    return lists[0] if len(lists) == 1 and isinstance(lists[0], list) else [whole]


def _value(cell: str) -> Any:
    """Return the number in a cell, or what it holds of JSON, such as a list."""
    for read in (float, json.loads):
        try:
            return read(cell)
        except ValueError:
            pass
    return cell


def _numbers(value: Any) -> list[float]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if parts is not None:
        return [number for part in parts for number in _numbers(part)]
    return [value] if isinstance(value, float | int) and not isinstance(value, bool) else []
