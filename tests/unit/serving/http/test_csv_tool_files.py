"""Files of tools that train, sent to the server as they are: the answers are for the texts that training reads."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError
from bert_classifier.data.table import Row, Table, open_table
from bert_classifier.data.targets import single_labels
from bert_classifier.data.text_fields import TextFields, named_columns
from bert_classifier.errors import RequestError
from bert_classifier.job.environment import Channel
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.query import Query
from support.tool_files import TOOL_FILES
from support.tool_files.made import write_files

MEDIA_TYPES = {"CSV": "text/csv", "fastText": "text/plain"}
# A header that names classes, and cells of several labels, are not recognised in bodies.
_WITH_LABELS = ("label_columns", "label_separator")
READ = [
    key
    for key, case in TOOL_FILES.items()
    if case.outcome == "read" and case.settings.keys().isdisjoint(_WITH_LABELS)
]


def tables(folder: Path, key: str) -> list[Table]:
    """Return the tables of a tool that are CSV or lines of fastText, by the settings of the training."""
    case = TOOL_FILES[key]
    write_files(folder, case)
    paths = Channel("train", folder).files()
    found = [open_table(path, ReaderSettings(**case.settings)) for path in paths]
    return [table for table in found if table.form.kind in MEDIA_TYPES and not table.form.is_gzip]


def served(table: Table, rows: Sequence[Row], key: str) -> Query:
    """Return what the server reads from a table's file, of a model that was trained on it."""
    info = {
        "hyperparameters": dict(TOOL_FILES[key].settings),
        "data": {"columns": named_columns([table.understood])},
    }
    classes = sorted({*single_labels(row.label for row in rows)})
    form = CsvForm.of("", classes, is_part=False, fields=TextFields.of(info))
    return codec.decode(MEDIA_TYPES[table.form.kind], table.path.read_bytes(), 10_000, form)


@pytest.mark.parametrize("key", READ)
def test_a_tools_file_is_classified(tmp_path, key):
    """Row by row; rows that training leaves out have an answer too, and other encodings are not read."""
    for table in tables(tmp_path, key):
        found = list(table.rows())
        assert not any(isinstance(row, RowError) for row in found)
        rows = [row for row in found if isinstance(row, Row)]
        if table.form.encoding_name.startswith("UTF-16"):
            with pytest.raises(RequestError, match="UTF-16"):
                served(table, rows, key)
            continue
        records = served(table, rows, key).records
        texts = [record for record in records if isinstance(record, str)]
        expected = [row.text for row in rows]
        if not table.form.encoding.startswith("utf-8"):
            assert len(records) == len(expected)
            expected = [text for text in expected if text.isascii()]
        if table.settings.missing_labels == "drop":
            texts = [text for text in texts if text in {*expected}]
        assert texts == expected


def test_there_are_many_such_files(tmp_path):
    """The test above compares something."""
    found = [(key, tables(tmp_path / key, key)) for key in READ if not (tmp_path / key).mkdir()]
    assert sum(len(of_tool) for _, of_tool in found) > 50
