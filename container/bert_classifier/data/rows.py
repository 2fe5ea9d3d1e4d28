"""What a row of a data file becomes.

Standard library only.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One labelled text: where it stands (from 1), its label, or all of them, sorted, and the text."""

    line: int
    label: str | tuple[str, ...]
    text: str


class TextRow(NamedTuple):
    """The text of one row, "" without one; the title is what stands beside it without being part of it."""

    line: int
    text: str
    title: str
