"""Rows of a local file that the server answers with an error instead of a class: counted, and named by their lines."""

from collections.abc import Iterator

from bert_classifier.data.records import RowError
from bert_classifier.data.wrong_rows import WrongRows
from bert_classifier.job.wording import counted
from launcher.findings import Finding, warn
from launcher.inputs.text_file import is_empty


class RowErrors:
    """Counts the rows of a file, and those with an error.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        self.rows = 0
        self._name = name
        self._unread, self._empty = WrongRows(), WrongRows()

    def add(self, line: int, record: object) -> None:
        """Add a row: its record, or the RowError in its place."""
        self.rows += 1
        if isinstance(record, RowError):
            wrong = self._empty if is_empty(record) else self._unread
            wrong.add(f"line {line}", record.cause)

    def findings(self) -> Iterator[Finding]:
        """Yield a doubt for the rows that cannot be read, and one for those without a text."""
        for wrong, what in ((self._unread, "that cannot be read"), (self._empty, "without a text")):
            if wrong.count:
                number = f"{counted(wrong.count, 'row')} of {self.rows:,}"
                message = f"{self._name} has {number} {what}, each answered with an error: {wrong.summary}"
                yield warn("input", message)
