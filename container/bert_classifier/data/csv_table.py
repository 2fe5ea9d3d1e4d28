"""CSV, TSV and the like as a table.

Standard library only.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bert_classifier.data import columns
from bert_classifier.data.dialect import (
    Reading,
    Sample,
    delimiter_name,
    first_labels,
    first_lines,
    ranked_readings,
)
from bert_classifier.data.forms import read_form_lines
from bert_classifier.data.header import has_header, header_below
from bert_classifier.data.records import RowError
from bert_classifier.data.shapes import spoken_label
from bert_classifier.data.table_base import BLANK, Table
from bert_classifier.errors import UserError
from bert_classifier.job.wording import counted

_SWALLOWED = 2  # lines in a cell that look like rows
_FEW_ROWS = 10
_RULE = re.compile(r"(:?-{2,}:?)+")  # below the header of a table in Markdown


class CsvTable(Table):
    """CSV, TSV and the like."""

    def __init__(self, *args: Any, needs_label: bool) -> None:
        super().__init__(*args)
        lines, is_whole = first_lines(self._lines())
        tabs = ".tsv" in self.path.suffixes or ".tab" in self.path.suffixes
        readings = ranked_readings(lines, self.settings, is_whole=is_whole, prefers_tabs=tabs)
        self._dialect, sample = readings[0].dialect, readings[0].sample
        if needs_label and not (tabs and self.delimiter == "\t"):
            self._refuse_two_readings(readings)
        self.notes += self._dialect.notes
        self._may_swallow = any(
            map(self._dialect.swallows, sample.rows)
        )  # and nothing explains the file better
        self._has_quotes = any('"' in line for line in lines)
        self._width = 0
        self._header: list[str] = []
        self._label_at: int | None = None
        self._is_header: bool | None = False  # None = unclear
        if sample.error and len(sample.rows) < 2:
            raise self.at(sample.error)
        if sample.rows:
            self._understand(sample, needs_label=needs_label)

    @property
    def delimiter(self) -> str:
        return self._dialect.delimiter

    @property
    def form_name(self) -> str:
        return f"CSV with {self._dialect.description}"

    @property
    def _header_hint(self) -> str:
        if self.settings.header != "auto" or self._is_header:
            return ""
        if self._is_header is None:
            return ", or header=false if line 1 is data"
        return "; if line 1 names the columns, set header=true as well"

    def _lines(self) -> Iterator[str]:
        return read_form_lines(self.path, self.name, self.form)

    def _understand(self, sample: Sample, *, needs_label: bool) -> None:
        first = sample.rows[0]
        self._is_header = has_header(sample.rows, self.settings)
        below = None if self._is_header else header_below(sample.rows, self.settings)
        if below is not None:
            raise UserError(
                f"{self.name} line {sample.lines[below]} looks like the header, but it stands below other lines.",
                "Remove the lines above it, or set header=false if it is data.",
            )
        named = [cell.strip().removeprefix("\ufeff") for cell in first]
        self.has_header = self._is_header is not False
        data = sample.rows[1:] if self.has_header else sample.rows
        self._width = len(first) if self.has_header else used_width(data)
        data = [fitted(row, self._width) for row in data]
        data = [row for row in data if len(row) == self._width]
        self.names = named if self.has_header else [str(number) for number in range(1, self._width + 1)]
        if self._is_header is None:
            why = f"line {sample.lines[0]} looks like a header, but its names are not known"
            raise self._unclear(why, data)
        if data and _RULE.fullmatch("".join(map(str.strip, data[0]))):
            raise UserError(f"{self.name} is a table of Markdown.", "Write it as CSV or JSON Lines.")
        if self._width < 2 and needs_label:
            raise self._one_column(sample)
        self._header = [columns.bare(name) for name in self.names] if self.has_header else []
        self._set_roles(data, needs_label=needs_label)
        self._refuse_split_texts(data)
        outer = (0, self._width - 1)  # only there can lines of a cell be told from rows
        self._label_at = self.roles.label if self.roles.label in outer else None

    def _refuse_two_readings(self, readings: Sequence[Reading]) -> None:
        """Refuse a file without a header that two delimiters explain alike; the first reading is the best."""
        best, *others = readings
        separator = self.settings.label_separator  # stands within labels, so it is no rival
        other = next((r for r in others if r.ties_with(best) and r.dialect.delimiter != separator), None)
        if other is not None:
            ways = [
                f"{delimiter_name(reading.dialect.delimiter)} between cells, the first label is"
                f" {spoken_label(first_labels(reading.sample, self.settings)[0])}"
                for reading in (best, other)
            ]
            raise UserError(
                f"{self.name} can be read in two ways: with {ways[0]}; with {ways[1]}.",
                "Set delimiter to the character between label and text, or name the columns in a header row.",
            )

    def _refuse_split_texts(self, rows: Sequence[Sequence[str]]) -> None:
        """Refuse a file without a header whose third cell is what follows a comma within the text."""
        title = self.roles.title
        if self.has_header or title is None or self._has_quotes or self.settings.title_column:
            return
        behind = sum(row[self.roles.text][:1] == " " for row in rows)
        if len(rows) >= _FEW_ROWS and behind >= 0.9 * len(rows):
            raise UserError(
                f"{self.name}: its texts seem to hold {delimiter_name(self.delimiter)} without being quoted: the third"
                " cell of nearly every row begins with a blank.",
                "Quote the texts, or name the columns in a header row.",
            )

    def _one_column(self, sample: Sample) -> UserError:
        first, *_ = sample.lines
        wider = [
            (line, len(row)) for line, row in zip(sample.lines, sample.rows, strict=True) if len(row) > 1
        ]
        if len(wider) > len(sample.rows) / 2:
            return UserError(
                f"{self.name} line {first} has one cell, but line {wider[0][0]} has {wider[0][1]}.",
                "Remove what stands above the names of the columns, or set delimiter.",
            )
        return UserError(
            f"{self.name} has one column, read with {self._dialect.description}.",
            "Give a label and a text per row, or set delimiter to the character between them.",
        )

    def _values(self, *, is_every: bool = False) -> Iterator[tuple[int, Sequence[Any] | RowError]]:
        is_header = bool(self.has_header)
        try:
            for line, cells in self._dialect.rows(self._lines()):
                if not any(map(str.strip, cells)):
                    self.left_out[BLANK] += bool(cells)
                    if is_every and cells and not is_header:
                        yield line, [""] * self._width
                elif is_header:
                    is_header = False
                else:
                    yield line, self._checked(line, cells)
        except RowError as error:
            raise self.at(error) from error

    def _checked(self, line: int, cells: list[str]) -> Sequence[Any] | RowError:
        """Return the cells of a row, or what is wrong with it."""
        if len(cells) != self._width:
            cells = fitted(cells, self._width)
            if len(cells) != self._width:
                quoted = ": quote cells that hold the delimiter" if len(cells) > self._width > 1 else ""
                return RowError(
                    line, f"it has {counted(len(cells), 'cell')} instead of {self._width}{quoted}"
                )
        if not self._may_swallow and self._dialect.swallows(cells):
            return RowError(line, "a quote in it seems never to be closed: the cell holds tabs and line ends")
        if (
            self.has_header
            and columns.bare(cells[0].lstrip("\ufeff")) in self._header
            and self._repeats_header(cells)
        ):
            return RowError(line, "it repeats the header: files seem to have been joined")
        if self._label_at is not None and any("\n" in cell for cell in cells) and self._holds_rows(cells):
            return RowError(
                line, "a quote in it seems never to be closed: the cell holds lines that look like rows"
            )
        return cells

    def _repeats_header(self, cells: Sequence[str]) -> bool:
        """Return whether a row names the same columns, in any case or order."""
        return sorted(columns.bare(cell.removeprefix("\ufeff")) for cell in cells) == sorted(self._header)

    def _holds_rows(self, cells: Sequence[str]) -> bool:
        """Return whether a cell holds several lines that begin or end, as rows do, with a label seen before."""
        if not self._dialect.is_quoted:
            return False
        inner = [line for cell in cells for line in cell.splitlines()[1:-1] if self.delimiter in line]
        at = 0 if self._label_at == 0 else -1
        labels = [line.split(self.delimiter)[at].strip().strip('"') for line in inner]
        return sum(label in self._labels for label in labels) >= _SWALLOWED


def used_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the width of rows without the columns at their end that are empty throughout."""
    first = len(rows[0])
    same = [row for row in rows if len(row) == first]
    while first > 2 and not any(row[first - 1].strip() for row in same):
        first -= 1
    return first


def fitted(cells: list[str], width: int) -> list[str]:
    """Return the cells without empty ones beyond the width."""
    return cells[:width] if len(cells) > width and not any(map(str.strip, cells[width:])) else cells
