"""A table in a CSV body: how its rows are read, and its first ones."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from bert_classifier.data.columns import bare
from bert_classifier.data.csv_table import fitted
from bert_classifier.data.dialect import Dialect, Sample, find_dialect, first_lines
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.text_columns import TextColumns
from bert_classifier.job.wording import counted
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record
from bert_classifier.serving.http.csv_form import is_filled
from bert_classifier.serving.http.csv_rows import CsvLine, rows_of
from bert_classifier.serving.http.pair_records import pair_of_cells

_SAMPLE_LINES = 200
_LONGEST_NAME = 100  # characters, of a column that a row may repeat
_PLURALS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclasses.dataclass(frozen=True, slots=True)
class CsvTable:
    """How to read the rows of a table.

    Attributes:
        names: of the columns, without case and separators; empty without a header.
        may_swallow: see rows_of.
    """

    dialect: Dialect
    columns: TextColumns
    names: tuple[str, ...] = ()
    may_swallow: bool = False

    def records(self, lines: Lines) -> Iterator[Record]:
        """Yield the record of each row from where the lines are."""
        return (self.record_of(cells) for _, cells in self.rows(lines))

    def rows(self, lines: Lines) -> Iterator[CsvLine]:
        """Yield each row from where the lines are."""
        return rows_of(lines, self.dialect, may_swallow=self.may_swallow)

    def record_of(self, cells: list[str] | RecordError) -> Record:
        """Return the record of a row, or what is wrong with it."""
        columns = self.columns
        if isinstance(cells, RecordError):
            return cells
        if not is_filled(cells):
            return text_record("")
        if len(cells) != columns.width:
            cells = fitted(cells, columns.width)
            if len(cells) != columns.width:
                return RecordError(self._wrong_width(len(cells)))
        if self._repeats_header(cells):
            return RecordError("the row repeats the header: files seem to have been joined")
        text = columns.text_of(cells)
        return (
            text_record(text)
            if columns.roles.pair is None
            else pair_of_cells(text, cells[columns.roles.pair])
        )

    def _wrong_width(self, width: int) -> str:
        delimiters = _PLURALS.get(self.dialect.delimiter, "delimiters")
        quote = f": quote a text that has {delimiters}" if width > self.columns.width else ""
        return f"the row has {counted(width, 'cell')} instead of {self.columns.width}{quote}"

    def _repeats_header(self, cells: Sequence[str]) -> bool:
        is_short = len(self.names) > 1 and max(map(len, cells)) <= _LONGEST_NAME
        return is_short and tuple(map(bare, cells)) == self.names


def sampled(lines: Lines, settings: ReaderSettings) -> tuple[Dialect, Sample]:
    """Return the dialect of the first rows, and the rows."""
    lines.position = 0
    first, is_whole = first_lines(itertools.islice(lines, _SAMPLE_LINES))
    return find_dialect(first, settings, is_whole=is_whole and len(first) < _SAMPLE_LINES)


def has_swallowed(dialect: Dialect, sample: Sample) -> bool:
    """Return whether cells with tabs and line ends between tabs are as they should be."""
    return any(map(dialect.swallows, sample.rows))
