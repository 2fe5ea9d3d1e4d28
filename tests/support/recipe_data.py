"""The data sets of the recipe benchmark, and small draws of them."""

import csv
import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np

from support.recipe_task import Draw, Row

VALIDATION_TEXTS = (
    64  # beside the training rows, for who can use them: as a user has them who labelled a few more
)
_TEST_SEED = 7  # all draws are tested on the same texts


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set with its own division into train and test.

    Args:
        test_texts: how many of the test rows are used.
    """

    name: str
    train: list[Row]
    test: list[Row]
    test_texts: int

    @classmethod
    def of_files(cls, name: str, train: Path, test: Path, test_texts: int) -> "DataSet":
        """Read the files."""
        return cls(name, read_rows(train), read_rows(test), test_texts)

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted({label for label, _ in self.train})

    def has(self, size: int) -> bool:
        """Return whether most classes have so many training rows."""
        counts = Counter(label for label, _ in self.train).values()
        return 2 * sum(count >= size for count in counts) > len(counts)

    def draw(self, size: int, seed: int) -> Draw:
        """Return so many training rows of each class, or all that it has, in the order of the classes."""
        labels = self.labels
        order = np.random.default_rng([seed, size]).permutation(len(self.train))
        taken: dict[str, list[Row]] = {label: [] for label in labels}
        rest: list[Row] = []
        for row in (self.train[index] for index in order):
            of_class = taken[row[0]]
            (of_class if len(of_class) < size else rest).append(row)
        chosen = np.random.default_rng(_TEST_SEED).permutation(len(self.test))[: self.test_texts]
        train = [row for label in labels for row in taken[label]]
        return Draw(labels, train, rest[:VALIDATION_TEXTS], [self.test[index] for index in chosen])


def read_rows(path: Path) -> list[Row]:
    """Return label and text of each row: its first and its last column; a first row `label,…` is a header."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row[0], row[-1]) for row in csv.reader(file) if row]
    return rows[1:] if rows and rows[0][0].lower() == "label" else rows
