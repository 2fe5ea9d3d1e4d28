"""How to classify a table of several columns by a batch transform: as JSON Lines, whose records name their fields."""

import shlex
import sys
from pathlib import Path

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.table import Table, open_table
from bert_classifier.errors import UserError

_RECORDS = "import csv, gzip, json; [print(json.dumps({record})) for row in csv.{reader}({file}{delimiter})]"
_OF_PARQUET = (  # by the library that the launcher's own Python has
    "import duckdb, json; table = duckdb.execute('FROM read_parquet(?)', [{path!r}]); "
    "names = [column[0] for column in table.description]; "
    "[print(json.dumps(dict(zip(names, row)), default=str)) for row in iter(table.fetchone, None)]"
)
_READINGS = (ReaderSettings(), ReaderSettings(delimiter="~"))  # the latter is never recognised


def remedy_for_table(path: Path) -> str:
    """Return how to give the texts of a CSV file with several columns, or of Parquet; "" if it is none, or unclear."""
    table = next((found for reading in _READINGS if (found := _table_of(path, reading))), None)
    if not table:
        return ""
    return f"Give JSON Lines, whose records name their fields; {_columns(table)}: {_command(path, table)}"


def _table_of(path: Path, reading: ReaderSettings) -> Table | None:
    try:
        table = open_table(path, reading, needs_label=False)
    except UserError:
        return None
    is_table = table.form.kind == "Parquet" or (table.form.kind == "CSV" and len(table.names) > 1)
    return table if is_table else None


def _columns(table: Table) -> str:
    text, label = table.roles.text, table.roles.label
    is_named = table.has_header is not False
    names = [name if is_named else f"column {name}" for name in table.names]
    return f"the text is {names[text]}" + (f", the label {names[label]}" if label is not None else "")


def _command(path: Path, table: Table) -> str:
    """Return a command line that writes records with all fields, or only the texts where columns have no names.

    It overwrites no file.
    """
    is_parquet = table.form.kind == "Parquet"
    python = sys.executable if is_parquet else "python3"
    code = _OF_PARQUET.format(path=str(path)) if is_parquet else _csv_program(path, table)
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return f"(set -C; {shlex.join([python, '-c', code])} > {shlex.quote(str(plain.with_suffix('.jsonl')))})"


def _csv_program(path: Path, table: Table) -> str:
    encoding = "utf-8-sig" if table.form.encoding == "utf-8" else table.form.encoding
    opened = "gzip.open" if table.form.is_gzip else "open"
    return _RECORDS.format(
        record="row" if table.has_header else f"row[{table.roles.text}]",
        reader="DictReader" if table.has_header else "reader",
        file=f"{opened}({str(path)!r}, 'rt', encoding={encoding!r}, newline='')",
        delimiter="" if table.delimiter == "," else f", delimiter={table.delimiter!r}",
    )
