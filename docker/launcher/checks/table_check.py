"""A cheap look at the first rows of a data file, before anything is uploaded or billed.

Labels and texts are judged by the job itself, whose Dataset may be of the user's own; here only what none could read.
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
        yield fail(subject, f"{name} has no rows", "Give label,text or class_index,title,abstract a row.")
        return
    width = len(rows[0].cells)
    if width < 2:
        yield warn(
            subject, f"{name} has one column", "Give at least a label and a text a row, with a comma between."
        )
    odd = next((row for row in rows if len(row.cells) != width), None)
    if odd:
        yield warn(
            subject,
            f"{name} line {odd.line} has {len(odd.cells)} cells instead of {width}",
            'Put texts that hold commas in quotes: "…".',
        )


def _json_findings(subject: str, name: str, path: Path) -> Iterator[Finding]:
    rows = list(itertools.islice(read_json_rows(read_lines(path)), ROWS))
    if not rows:
        yield fail(subject, f"{name} has no rows", 'Write one object a line: {"label": "…", "text": "…"}.')
    for row in rows:
        if isinstance(row, RowError):
            raise row
        if not isinstance(row.value, dict):
            yield warn(
                subject, f"{name} line {row.line} is not an object", 'Write {"label": "…", "text": "…"}.'
            )
            return
