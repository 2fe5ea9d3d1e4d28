"""The worked example: DBpedia-14 as a Dataset and a label mapper. Copy this file for your own data.

Reads every form that data/table.py understands, which is more than DBpedia needs: most files of labels and texts can
be trained on without a Dataset of your own.
"""

import bisect
import logging
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from bert_classifier.data.labels import MISSING_REMEDY
from bert_classifier.data.reader_settings import DataFiles
from bert_classifier.data.table import Table, open_table
from bert_classifier.data.table_base import WITHOUT_TEXT
from bert_classifier.data.text_store import Texts, TextWriter
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.job.settings import shown
from bert_classifier.label_mapper import LabelMapperBase
from bert_classifier.records import RowError, text_problem

logger = logging.getLogger(__name__)

_MOST_SHOWN = 10


class DbpediaDataset(Dataset[tuple[str, str]]):
    """Labelled texts: item i is (text, raw label), in the order of the files.

    The text is the abstract or, where that is empty, the title. Rows with neither are left out and counted.

    Args:
        files: files of any form that open_table reads; a DataFiles says how to read them.
    Attributes:
        texts: all texts; they stay on the disk and are mapped into memory.
        label_names: the different labels, in the order of their first occurrence.
        label_codes: int32 (n,); the label of item i is label_names[label_codes[i]].
        understood: what was understood of each file, as data_report.json has it.
        num_empty: rows left out for want of a text.
    Raises:
        UserError: naming file, line and reason of the first rows that cannot be used.
    """

    texts: Texts
    label_names: Sequence[str]
    label_codes: np.ndarray

    def __init__(self, files: Sequence[Path]) -> None:
        files = DataFiles.of(files)
        # Look at all files before reading any of them to its end.
        self._tables = [
            open_table(path, files.settings, files.classes, name=files.name_of(path)) for path in files
        ]
        self._writer = TextWriter()
        self._codes: dict[str, int] = {}
        codes, self._lines = array("i"), array("I")
        self._ends: list[int] = []  # of each file's items
        wrong = WrongRows()
        for table in self._tables:
            self._read(table, codes, wrong)
            self._ends.append(len(codes))
        is_missing = any(
            "stands for a missing value" in reason or "label is empty" in reason for reason in wrong.reasons
        )
        wrong.refuse(MISSING_REMEDY if is_missing else "")
        self.texts = self._writer.finish()
        self.label_names = list(self._codes)
        self.label_codes = np.frombuffer(codes, dtype=np.int32) if codes else np.zeros(0, dtype=np.int32)
        self.understood = [table.understood for table in self._tables]
        self.num_empty = sum(table.left_out[WITHOUT_TEXT] for table in self._tables)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[str, str]:
        return self.texts[index], self.label_names[self.label_codes[index]]

    def place_of(self, index: int) -> str:
        """Return the file and line of item `index`, such as "train.csv line 3"."""
        table = self._tables[bisect.bisect_right(self._ends, index)]
        return f"{table.name} {table.unit} {self._lines[index]}"

    def _read(self, table: Table, codes: "array[int]", wrong: WrongRows) -> None:
        """Add the rows of one file, and those that cannot be used to the wrong ones."""
        for row in table.rows():
            problem = row.cause if isinstance(row, RowError) else text_problem(row.text)
            if problem or isinstance(row, RowError):
                wrong.add(f"{table.name} {table.unit} {row.line}", str(problem))
                continue
            self._writer.append(row.text)
            self._lines.append(row.line)
            codes.append(self._codes.setdefault(row.label, len(self._codes)))


class DbpediaLabelMapper(LabelMapperBase):
    """Maps labels that are class names or class numbers, counted from 1.

    Args:
        names: the classes in order, as in classes.txt.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._index = {name: index for index, name in enumerate(self._names)}
        # If all names are numbers, every label is a name: 3 is a mistake among the classes 0, 1 and 2.
        self._counts_from_1 = not all(_is_number(name) for name in self._names)
        self._is_order_given = True

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "DbpediaLabelMapper":
        """Return the mapper for data without classes.txt: labels sorted by name, or by value if all are numbers."""
        found = set(labels)
        if all(_is_number(label) for label in found):
            return cls(sorted(found, key=int))
        mapper = cls(sorted(found))
        mapper._is_order_given = False
        return mapper

    def map(self, label: str) -> int:
        if label in self._index:
            return self._index[label]
        if self._counts_from_1 and _is_number(label) and 1 <= int(label) <= len(self._names):
            self._warn_of_order(label)
            return int(label) - 1
        or_number = f" nor a number from 1 to {len(self._names)}" if self._counts_from_1 else ""
        raise ValueError(
            f"label {shown(label)} is {'neither' if or_number else 'not'} a class name{or_number}"
        )

    def _warn_of_order(self, label: str) -> None:
        """Warn once how numbers are assigned to classes if no classes.txt gives their order."""
        if self._is_order_given:
            return
        self._is_order_given = True
        counted = [
            f"{number} = {shown(name)}" for number, name in enumerate(self._names[:_MOST_SHOWN], start=1)
        ]
        logger.warning(
            "label %s is not a class of the training data: reading it as a class number in alphabetical order"
            " (%s%s); put a classes.txt into the class channel if you mean another order",
            shown(label),
            ", ".join(counted),
            ", …" if len(self._names) > _MOST_SHOWN else "",
        )

    def reverse_map(self, index: int) -> str:
        return self._names[index]

    @property
    def num_classes(self) -> int:
        return len(self._names)


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) < 10
