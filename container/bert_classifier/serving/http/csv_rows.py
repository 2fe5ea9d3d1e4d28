"""The rows of a CSV body, one at a time: an invalid row does not affect the others."""

import codecs
import dataclasses
import re
from collections.abc import Iterator
from typing import NamedTuple

from bert_classifier.data.csv_looks import MOST_CELLS, cells_of
from bert_classifier.data.dialect import Dialect
from bert_classifier.data.records import RowError
from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record, without_end

RFC_4180 = Dialect()
_LINE_END = re.compile(r"\r\r\n|\r\n?|\n")  # the first: Python's csv in a file opened without newline=""
_ENDS_OF_OLD_MACS = re.compile(rb'(?:[^\r\n"]|"[^"]*+")*+\r(?!\n)')  # of the first row


class CsvRecord(NamedTuple):
    """A row of CSV: its cells (none if it is invalid), the row as one text, and whether it was quoted as a whole."""

    cells: list[str]
    record: Record
    is_quoted: bool = False


# The line on which a row starts, without the line end, and the row's cells or what is wrong with it.
CsvLine = tuple[str, list[str] | RecordError]


@dataclasses.dataclass(frozen=True, slots=True)
class BodyRows:
    """The records of a body of rows or lines, one for each but a header.

    Attributes:
        understood: how the body was read, for logs: it names places of columns and holds no cell.
    """

    records: Iterator[Record]
    understood: str


def row_error(error: RequestError) -> RecordError:
    """Return why a body that is one row has no prediction, where it is not refused: in batch transform."""
    return RecordError(f"{error.cause[:1].lower()}{error.cause[1:]} {error.remedy}")


class CarriageReturnLines(Lines):
    """Lines that end at \\r too, as the training's reader has them; for bodies whose first line ends so."""

    def __next__(self) -> str:
        if self.position == len(self._text):
            raise StopIteration
        self.start = self.position
        match = _LINE_END.search(self._text, self.start)
        self.position = match.end() if match else len(self._text)
        return self._text[self.start : self.position]


def lines_of(body: bytes) -> Lines:
    """Return the lines of a body, which end as its first one does."""
    body = body.removeprefix(codecs.BOM_UTF8)  # Lines removes another: tools that join files write two
    return CarriageReturnLines(body) if _ENDS_OF_OLD_MACS.match(body) else Lines(body)


def rows_of(lines: Lines, dialect: Dialect = RFC_4180, *, may_swallow: bool = True) -> Iterator[CsvLine]:
    """Yield each row.

    The first line of an invalid row counts as a row, and reading continues after it, in linear time.

    Args:
        dialect: its `skipped` lines must have been read.
        may_swallow: False refuses cells that hold tabs and line ends between tabs: a quote may have opened by chance.
    """
    delimiter, is_quoted = dialect.delimiter, dialect.is_quoted
    is_plain, has_carriage_returns = not dialect.skips_blanks, isinstance(lines, CarriageReturnLines)
    single_until = 0  # earlier lines belong to an invalid row: parse each alone, for linear time
    for line in lines:
        start, behind = lines.start, lines.position
        if is_plain and (not is_quoted or '"' not in line):
            text = without_end(line)
            if has_carriage_returns:
                text = text.rstrip("\r")
            yield text, cells_of(text, delimiter)
            continue
        if line.count(delimiter) >= MOST_CELLS:
            yield without_end(line), RecordError(f"the row has quotes and more than {MOST_CELLS:,} cells")
            continue
        is_single = start < single_until
        lines.position = behind if is_single else start
        try:
            cells = next(dialect.rows([line] if is_single else lines)).cells
            if not may_swallow and dialect.swallows(cells):
                raise RowError(0, "a quote in it seems never to be closed: the cell holds tabs and line ends")
        except RowError as error:
            single_until = max(single_until, lines.start)
            lines.position = behind
            yield without_end(line), RecordError(error.cause)
        else:
            yield without_end(line), cells


def of_csv(lines: Lines) -> Iterator[CsvRecord]:
    """Yield one record per row.

    A row without a fully quoted cell is one text, commas included.
    """
    for text, cells in rows_of(lines):
        if isinstance(cells, RecordError):
            yield CsvRecord([], cells)
        elif '"' in text:
            yield CsvRecord(cells, _text_of_cells(cells, text), len(cells) == 1 and cells[0] != text)
        else:
            yield CsvRecord(cells, text_record(text))


def _text_of_cells(cells: list[str], line: str) -> Record:
    """Return the text of a row that contains a quote."""
    text = ",".join(cells)
    if len(cells) > 1 and text != line:
        return RecordError(f"the row has {len(cells)} cells, some quoted: quote one text as a whole")
    return text_record(text)
