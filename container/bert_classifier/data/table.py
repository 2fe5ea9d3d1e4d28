"""Open a data file of any form as a table of labels and texts, or refuse it with the settings that mend it.

Standard library only, so that a file can be judged before anything heavy is imported.
"""

from collections.abc import Collection
from pathlib import Path

from bert_classifier.data.csv_table import CsvTable
from bert_classifier.data.field_table import FieldTable
from bert_classifier.data.forms import form_of
from bert_classifier.data.reader_settings import DEFAULTS, ReaderSettings
from bert_classifier.data.rows import Row, TextRow
from bert_classifier.data.table_base import Table

__all__ = ["Row", "Table", "TextRow", "open_table"]


def open_table(
    path: Path,
    settings: ReaderSettings = DEFAULTS,
    classes: Collection[str] = frozenset(),
    *,
    name: str = "",
    needs_label: bool = True,
) -> Table:
    """Look at a file's first rows and return it with what was understood.

    Args:
        classes: names of classes that are known; never taken for missing values.
        name: of the file in messages; its own by default.
        needs_label: False for a file that may hold texts only.
    Raises:
        UserError: when the file is of no known form, or its columns are unclear or implausible.
        PlatformError: when disk or permissions prevent reading it.
    """
    name = name or path.name
    form = form_of(path, name, settings.encoding)
    kind = CsvTable if form.kind == "CSV" else FieldTable
    return kind(path, name, form, settings, classes, needs_label=needs_label)
