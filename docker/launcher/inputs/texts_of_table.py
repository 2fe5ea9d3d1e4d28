"""How to classify a table of several columns by a batch transform: as JSON Lines, whose records name their fields."""

import shlex
from pathlib import Path

from bert_classifier.data.table import Table, open_table
from bert_classifier.errors import UserError

_WRITE = (
    "import csv, json; [print(json.dumps({record})) for row in"
    " csv.{reader}(open({path!r}, encoding='{encoding}', newline=''){delimiter})]"
)


def remedy_for_table(path: Path) -> str:
    """Return how to give the texts of a CSV file with several columns; "" if it is no such file, or an unclear one."""
    try:
        table = open_table(path, needs_label=False)
    except UserError:
        return ""
    if table.form.kind != "CSV" or len(table.names) < 2:
        return ""
    return f"Give JSON Lines, whose records name their fields; {_columns(table)}: {_command(path, table)}"


def _columns(table: Table) -> str:
    text, label = table.roles.text, table.roles.label
    names = [name if table.has_header else f"column {name}" for name in table.names]
    return f"the text is {names[text]}" + (f", the label {names[label]}" if label is not None else "")


def _command(path: Path, table: Table) -> str:
    """Return a command line that writes records with all fields, or only the texts where columns have no names."""
    code = _WRITE.format(
        record="row" if table.has_header else f"row[{table.roles.text}]",
        reader="DictReader" if table.has_header else "reader",
        path=str(path),
        encoding="utf-8-sig" if table.form.encoding == "utf-8" else table.form.encoding,
        delimiter="" if table.delimiter == "," else f", delimiter={table.delimiter!r}",
    )
    return f"python3 -c {shlex.quote(code)} > {shlex.quote(str(path.with_suffix('.jsonl')))}"
