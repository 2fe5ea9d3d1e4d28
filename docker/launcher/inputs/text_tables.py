"""Tables of texts to classify: a column of texts, or the two of a pair where no column alone can be the text."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from bert_classifier.data.columns import ColumnsError
from bert_classifier.data.pair_columns import PAIRS
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.table import Table, open_table
from bert_classifier.errors import UserError


def open_texts(path: Path, reading: ReaderSettings, name: str) -> Table:
    """Open a file whose rows may have labels or not.

    Raises:
        UserError: when it cannot be understood; a ColumnsError where its columns leave open which is the text.
    """
    try:
        return open_table(path, reading, name=name, needs_label=False)
    except ColumnsError:
        pairs = [] if reading.text_column or reading.text_pair_column else list(_pairs(path, reading, name))
        if len(pairs) != 1:
            raise
        return pairs[0]


def _pairs(path: Path, reading: ReaderSettings, name: str) -> Iterator[Table]:
    """Yield the file with each two of its columns that are called like the texts of a pair."""
    for first, second in PAIRS:
        told = dataclasses.replace(reading, text_column=first, text_pair_column=second)
        try:
            yield open_table(path, told, name=name, needs_label=False)
        except UserError:
            continue
