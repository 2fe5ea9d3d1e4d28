"""The worked example: DBpedia-14 as a Dataset and a label mapper. Copy this file for your own data.

Reads every form that data/table.py understands, which is more than DBpedia needs: most files of labels and texts can
be trained on without a Dataset of your own.
"""

import bisect
import logging
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from bert_classifier.data.label_reader import Label
from bert_classifier.data.label_spelling import (
    NearestClass,
    is_number,
    joined,
    joining_mark,
    without_fraction,
)
from bert_classifier.data.labels import label_remedy
from bert_classifier.data.reader_settings import DataFiles
from bert_classifier.data.shapes import spoken_label
from bert_classifier.data.table import Table, open_table
from bert_classifier.data.table_base import WITHOUT_TEXT
from bert_classifier.data.targets import alike_labels
from bert_classifier.data.text_store import Texts, TextWriter
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.job.settings import shown
from bert_classifier.label_mapper import ClassNames, LabelMapperBase
from bert_classifier.records import RowError, text_problem

logger = logging.getLogger(__name__)

_MOST_SHOWN = 10


class DbpediaDataset(Dataset[tuple[str, Label]]):
    """Labelled texts: item i is (text, raw label), or (text, all raw labels), in the order of the files.

    The text is the abstract or, where that is empty, the title. Rows with neither are left out and counted.

    Args:
        files: files of any form that open_table reads; a DataFiles says how to read them.
    Attributes:
        texts: all texts; they stay on the disk and are mapped into memory.
        label_names: the different labels, in the order of their first occurrence; with several labels per text the
            different sets of labels, each a sorted tuple.
        label_codes: int32 (n,); the label of item i is label_names[label_codes[i]].
        understood: what was understood of each file, as data_report.json has it.
        num_empty: rows left out for want of a text.
    Raises:
        UserError: naming file, line and reason of the first rows that cannot be used.
    """

    texts: Texts
    label_names: Sequence[Label]
    label_codes: np.ndarray

    def __init__(self, files: Sequence[Path]) -> None:
        files = DataFiles.of(files)
        # Look at all files before reading any of them to its end.
        self._tables = [
            open_table(path, files.settings, files.classes, name=files.name_of(path)) for path in files
        ]
        is_multi = any(table.is_multi for table in self._tables)
        self._writer = TextWriter()
        self._codes: dict[Label, int] = {}
        codes, self._lines = array("i"), array("I")
        self._ends: list[int] = []  # of each file's items
        wrong = WrongRows()
        for table in self._tables:
            table.is_multi = is_multi
            for name in table.wide_labels:  # a class even if no text has it
                self._codes.setdefault((name,), len(self._codes))
            self._read(table, codes, wrong)
            self._ends.append(len(codes))
        labels = [label for label in self._codes if isinstance(label, str)] if wrong.count else []
        mark = "" if is_multi else joining_mark(joined(labels))
        wrong.refuse(label_remedy(wrong.reasons, has_classes=bool(files.classes), mark=mark))
        self.texts = self._writer.finish()
        label_codes = np.frombuffer(codes, dtype=np.int32) if codes else np.zeros(0, dtype=np.int32)
        self.label_names, self.label_codes = alike_labels(list(self._codes), label_codes, files.classes)
        self.understood = [table.understood for table in self._tables]
        self.num_empty = sum(table.left_out[WITHOUT_TEXT] for table in self._tables)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[str, Label]:
        return self.texts[index], self.label_names[self.label_codes[index]]

    def place_of(self, index: int) -> str:
        """Return the file and line of item `index`, such as "train.csv line 3"."""
        table = self._tables[bisect.bisect_right(self._ends, index)]
        return f"{table.name} {table.unit} {self._lines[index]}"

    def _read(self, table: Table, codes: "array[int]", wrong: WrongRows) -> None:
        """Add the rows of one file, and those that cannot be used to the wrong ones."""
        for doubt in table.doubts:
            logger.warning("%s: %s", table.name, doubt)
        for row in table.rows():
            problem = row.cause if isinstance(row, RowError) else text_problem(row.text)
            if problem or isinstance(row, RowError):
                wrong.add(f"{table.name} {table.unit} {row.line}", str(problem))
                continue
            self._writer.append(row.text)
            self._lines.append(row.line)
            codes.append(self._codes.setdefault(row.label, len(self._codes)))
        for note in table.row_notes:
            logger.warning("%s: %s", table.name, note)


class DbpediaLabelMapper(LabelMapperBase):
    """Maps labels that are class names or, where a class file lists the classes, their numbers from 1.

    Args:
        names: the classes in order, as in classes.txt; a ClassNames says whether numbers count them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        # Files may hold another Unicode form of a name than an older model.
        self._index = {unicodedata.normalize("NFC", name): index for index, name in enumerate(self._names)}
        self._index |= {name: index for index, name in enumerate(self._names)}
        are_numbered = getattr(names, "are_numbered", True)
        # If all names are numbers, every label is a name: 3 is a mistake among the classes 0, 1 and 2.
        self._has_words = not all(is_number(name) for name in self._names)
        self._counts_from_1 = self._has_words and are_numbered is not False
        self._is_order_known = are_numbered is not None
        self._spellings = NearestClass(self._names)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "DbpediaLabelMapper":
        """Return the mapper for data without classes.txt: labels sorted by name, or by value if all are numbers."""
        found = set(labels)
        are_numbers = all(is_number(label) for label in found)
        return cls(ClassNames(sorted(found, key=int if are_numbers else None), are_numbered=False))

    def map(self, label: str) -> int:
        if label in self._index:
            return self._index[label]
        if self._counts_from_1 and is_number(label) and 1 <= int(label) <= len(self._names):
            self._warn_of_order(label)
            return int(label) - 1
        or_number = f" nor a number from 1 to {len(self._names)}" if self._counts_from_1 else ""
        neither = "neither" if or_number else "not"
        raise ValueError(
            f"label {spoken_label(label)} is {neither} a class name{or_number}{self._hint(label)}"
        )

    def _hint(self, label: str) -> str:
        """Return what may be meant by an unknown label, as the end of a sentence."""
        if is_number(label) and self._has_words:
            if not self._counts_from_1:
                return " (numbers count the classes only where a class file lists them: write names)"
            return " (the first class has the number 1)" if int(label) == 0 else ""
        whole = without_fraction(label)
        if self._counts_from_1 and whole and is_number(whole) and 1 <= int(whole) <= len(self._names):
            return f" (write {whole}, without a fraction)"
        match = self._spellings.of(label)
        return f" (nearest: {shown(match)})" if match else ""

    def _warn_of_order(self, label: str) -> None:
        """Warn once of a number where the model does not say whether a class file gave the order of its classes."""
        if self._is_order_known:
            return
        self._is_order_known = True
        counted = [
            f"{number} = {shown(name)}" for number, name in enumerate(self._names[:_MOST_SHOWN], start=1)
        ]
        logger.warning(
            "label %s is read as the number of a class, counted from 1 (%s%s); the model does not say whether a class"
            " file gave this order: give class names if you mean another",
            shown(label),
            ", ".join(counted),
            ", …" if len(self._names) > _MOST_SHOWN else "",
        )

    def reverse_map(self, index: int) -> str:
        return self._names[index]

    @property
    def num_classes(self) -> int:
        return len(self._names)
