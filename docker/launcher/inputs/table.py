"""A cheap look at the first rows of a data file, before anything is uploaded or billed.

The job itself judges labels and texts, because its Dataset may be the user's own; here only what no Dataset could read.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from bert_classifier.data.records import RowError, read_csv_rows, read_json_rows, read_lines
from bert_classifier.errors import ContainerError
from launcher.findings import Finding, fail, warn

ROWS = 200


def check_table(subject: str, name: str, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the first rows of a CSV or JSON Lines file."""
    check = _json_findings if path.suffix.lower() == ".jsonl" else _csv_findings
    try:
        yield from check(subject, name, path)
    except RowError as error:
        yield fail(subject, f"{name} line {error.line}: {error.cause}", error.remedy)
    except ContainerError as error:
        yield fail(subject, error.cause, error.remedy)


def _csv_findings(subject: str, name: str, path: Path) -> Iterator[Finding]:
    rows = [row for row in itertools.islice(read_csv_rows(read_lines(path)), ROWS) if row.cells]
    if not rows:
        yield fail(subject, f"{name} has no rows", "Give label,text or class_index,title,abstract per row.")
        return
    width = len(rows[0].cells)
    if width < 2:
        remedy = "Give at least a label and a text per row, separated by a comma."
        yield warn(subject, f"{name} has one column", remedy)
    odd = next((row for row in rows if len(row.cells) != width), None)
    if odd:
        message = f"{name} line {odd.line} has {len(odd.cells)} cells instead of {width}"
        yield warn(subject, message, 'Quote texts that contain commas: "…".')


def _json_findings(subject: str, name: str, path: Path) -> Iterator[Finding]:
    rows = list(itertools.islice(read_json_rows(read_lines(path)), ROWS))
    if not rows:
        yield fail(subject, f"{name} has no rows", 'Write one object per line: {"label": "…", "text": "…"}.')
    for row in rows:
        if isinstance(row, RowError):
            raise row
        if not isinstance(row.value, dict):
            message = f"{name} line {row.line} is not an object"
            yield warn(subject, message, 'Write {"label": "…", "text": "…"}.')
            return
