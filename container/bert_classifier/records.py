"""The readers for your own Dataset class; this import path is stable.

`read_lines` yields the lines of a UTF-8 file. `read_csv_rows` and `read_json_rows` yield rows with the line on which
each starts, or a RowError. `parse_json` reads one JSON value. `text_problem` says why a value is not a usable text.
`refuse_rows` names all invalid rows in one error.
"""

from bert_classifier.data.records import (
    CsvRow,
    JsonRow,
    RowError,
    parse_json,
    read_csv_rows,
    read_json_rows,
    read_lines,
    refuse_rows,
    text_problem,
)

__all__ = [
    "CsvRow",
    "JsonRow",
    "RowError",
    "parse_json",
    "read_csv_rows",
    "read_json_rows",
    "read_lines",
    "refuse_rows",
    "text_problem",
]
