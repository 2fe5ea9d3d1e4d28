"""The forms of bodies and answers: media types that the server knows, and the cells of a row of CSV.

Shared by the server and the launcher's checks. Standard library only.
"""

import csv
import io
import itertools
from collections.abc import Sequence

JSON = "application/json"
JSON_LINES = (
    "application/jsonlines", "application/jsonl", "application/x-jsonlines", "application/x-jsonl",
    "application/json-lines", "application/x-json-lines", "application/ndjson", "application/x-ndjson",
)  # fmt: skip
CSV = "text/csv"
PLAIN = "text/plain"
NPY = "application/x-npy"
READ = (JSON, *JSON_LINES, CSV, PLAIN, NPY)
WRITTEN = (JSON, *JSON_LINES, CSV, NPY)
PRESENT, ABSENT = "present", "absent"  # values of RFC 4180's parameter `header`
ERROR = "error"  # a cell of CSV, and one of ANSWER_FIELDS
_JOINT = "|"


def joined(values: Sequence[str | float]) -> str:
    """Return several values in one cell: a row of CSV of its own, with bars; a value that has bars is quoted there."""
    out = io.StringIO()
    csv.writer(out, delimiter=_JOINT, lineterminator="\n").writerow(values)
    return out.getvalue().removesuffix("\n")


def parted(cell: str) -> list[str]:
    """Return the values that `joined` has put into a cell."""
    return next(csv.reader([cell], delimiter=_JOINT), [])


def answer_columns(
    labels: Sequence[str], fields: Sequence[str], listed: int | None, *, is_multi_label: bool = False
) -> list[str]:
    """Return the names of the cells of a row.

    Args:
        labels: class names in the model's order.
        fields: out of ANSWER_FIELDS; none for classes with scores.
        listed: classes in a list; None for the best one, not in a list.
        is_multi_label: whether a text has any number of labels, which one cell holds, joined.
    """
    if fields:
        return list(itertools.chain.from_iterable(_names_of(field, labels) for field in fields))
    if listed is None:
        return ["labels", "scores", ERROR] if is_multi_label else ["label", "score", ERROR]
    numbers = range(1, listed + 1)
    return [*(f"{name}_{number}" for number in numbers for name in ("label", "score")), ERROR]


def _names_of(field: str, labels: Sequence[str]) -> list[str]:
    if field == "probabilities":
        return [f"probability_{label}" for label in labels]
    return [f"label_{number}" for number in range(1, len(labels) + 1)] if field == "labels" else [field]
