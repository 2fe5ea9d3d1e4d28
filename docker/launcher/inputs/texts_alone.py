"""CSV of texts alone as the server will look at it: what it would take for a header or for labels, and refuse."""

from collections.abc import Iterator
from pathlib import Path

from bert_classifier.data.csv_looks import LabelColumns
from bert_classifier.data.first_row import is_no_text
from bert_classifier.data.records import CsvRow, RowError, read_csv_rows, read_lines
from bert_classifier.data.text_columns import CLIENTS_NAMES
from launcher.findings import Finding, fail, warn

_AS_TEXTS = 'if it is a text, give CONTENT_TYPE="text/csv; header=absent".'


def check_texts_alone(
    name: str, path: Path, *, most: int, header_is_told: bool, is_sent_as_told: bool
) -> Iterator[Finding]:
    """Find what the server would not take for a text: a header, labels, texts that SageMaker would split.

    Args:
        most: bytes that SageMaker puts into a request; 0: each row is a request.
        header_is_told: whether the media type says that there is none.
        is_sent_as_told: whether CONTENT_TYPE keeps the file from being understood and converted.
    """
    looks = _CsvLooks(most)
    try:
        for row in read_csv_rows(read_lines(path)):
            looks.add(row)
    except RowError as error:
        yield fail("input", f"{name} line {error.line}: {error.cause}", error.remedy)
        return
    if looks.broken_line:
        yield fail(
            "input",
            f"{name} line {looks.broken_line} has a text with a line break, at which SageMaker splits it",
            "Leave CONTENT_TYPE out: the texts are then sent as JSON Lines.",
        )
    if not header_is_told:
        yield from _header_findings(name, looks, alone=not most, is_sent_as_told=is_sent_as_told)
    if looks.is_refused:
        yield _label_finding(name, looks, alone=not most, is_sent_as_told=is_sent_as_told)


def _header_findings(
    name: str, looks: "_CsvLooks", *, alone: bool, is_sent_as_told: bool
) -> Iterator[Finding]:
    if looks.has_header:
        remedy = (
            "Leave CONTENT_TYPE out: the header is then understood" if is_sent_as_told else "Give HEADER=true"
        )
        yield fail(
            "input",
            f"{name} begins with what the server takes for a header row",
            f"{remedy}; {_AS_TEXTS}",
        )
    if looks.name_line:
        message = f"{name} line {looks.name_line} is a text that looks like a header row"
        remedy = f"{_AS_TEXTS[0].upper()}{_AS_TEXTS[1:]}"
        if alone:
            yield fail("input", f"{message}: the server answers it with an error", remedy)
        else:
            refused = "the server refuses a request that begins with it with 400, and the job fails"
            yield warn("input", f"{message}: {refused}", remedy)


def _label_finding(name: str, looks: "_CsvLooks", *, alone: bool, is_sent_as_told: bool) -> Finding:
    say_so = "leave CONTENT_TYPE out, and give" if is_sent_as_told else "say so:"
    refused = (
        "answers each of them with an error"
        if alone
        else "refuses a request that has them in most rows with 400, and the job fails"
    )
    return warn(
        "input",
        f"{name} is taken for texts alone, but {looks.label_rows} of {looks.rows} rows, line {looks.label_line} first, "
        f"have a few words beside a delimiter; if these are classes of the model, the server {refused}",
        f"If the file has columns, {say_so} TEXT_COLUMN=2 and HEADER=true or HEADER=false; or quote a text that holds"
        " such a delimiter.",
    )


class _CsvLooks:
    """What the rows of a file look like to the server; any row may be the first of a request.

    Args:
        most: bytes that SageMaker puts into a request; 0: each row is a request.
    """

    def __init__(self, most: int) -> None:
        self.broken_line = 0  # of the first text with a line break
        self.has_header = False
        self.name_line = 0  # of the first later row that looks like a header
        self.label_line = 0  # of the first row that may have a label; the classes are unknown here
        self.label_rows = 0
        self.rows = 0
        self._has_begun = False
        self._most, self._size = most, 0
        self._labels = LabelColumns(None)  # of the rows of one request
        self._was_refused = False

    @property
    def is_refused(self) -> bool:
        """Whether a request has labels in most rows, so that the server may refuse it."""
        return self._was_refused or bool(self._labels.place)

    def add(self, row: CsvRow) -> None:
        """Add a row."""
        if not self.broken_line and any("\n" in cell for cell in row.cells):
            self.broken_line = row.line
        if not any(cell.strip() for cell in row.cells):
            return
        is_first, self._has_begun = not self._has_begun, True
        if is_no_text(row.cells, CLIENTS_NAMES):
            self.has_header = self.has_header or is_first
            self.name_line = self.name_line or (0 if is_first else row.line)
            if is_first:
                return
        self.rows += 1
        self._cut(row)
        if self._labels.add(row.cells):
            self.label_rows += 1
            self.label_line = self.label_line or row.line

    def _cut(self, row: CsvRow) -> None:
        """Begin another request where a row does not fit into this one, as SageMaker does, quotes aside."""
        size = sum(len(cell.encode()) + 1 for cell in row.cells)
        if self._size + size > self._most:
            self._was_refused = self.is_refused
            self._labels, self._size = LabelColumns(None), 0
        self._size += size
