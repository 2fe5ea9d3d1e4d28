"""The rows of a CSV body, one at a time: an invalid row does not affect the others."""

from collections.abc import Iterator
from typing import NamedTuple

from bert_classifier.data.records import RowError, read_csv_rows
from bert_classifier.serving.http.body_records import Lines, Record, RecordError, text_record, without_end


class CsvRecord(NamedTuple):
    """A row of CSV: its cells (none if it is invalid), the row as one text, and whether it was quoted as a whole."""

    cells: list[str]
    record: Record
    is_quoted: bool = False


def of_csv(body: bytes) -> Iterator[CsvRecord]:
    """Yield one record per row.

    The first line of an invalid row counts as a row, and reading continues after it. A row without a fully quoted
    cell is one text, commas included.
    """
    lines = Lines(body)
    single_until = 0  # earlier lines belong to an invalid row: parse each alone, for linear time
    for line in lines:
        start, behind = lines.start, lines.position
        if '"' not in line:
            text = without_end(line)
            yield CsvRecord(text.split(","), text_record(text))
            continue
        is_single = start < single_until
        lines.position = behind if is_single else start
        try:
            cells = next(read_csv_rows([line] if is_single else lines)).cells
        except RowError as error:
            single_until = max(single_until, lines.start)
            lines.position = behind
            yield CsvRecord([], RecordError(error.cause))
        else:
            text = without_end(line)
            yield CsvRecord(cells, _text_of_cells(cells, text), len(cells) == 1 and cells[0] != text)


def _text_of_cells(cells: list[str], line: str) -> Record:
    """Return the text of a row that contains a quote."""
    text = ",".join(cells)
    if len(cells) > 1 and text != line:
        return RecordError(f"the row has {len(cells)} cells, some quoted: quote one text as a whole")
    return text_record(text)
