"""How a CSV file separates its cells, and whether its first row is a header: from its first rows.

Standard library only.
"""

import csv
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from bert_classifier.data import columns
from bert_classifier.data.columns import LABEL_NAMES, TEXT_NAMES, Unclear, roles_of
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import CsvRow, RowError, read_csv_rows
from bert_classifier.data.shapes import num_words, shapes_of
from bert_classifier.errors import UserError

SAMPLE_ROWS = 1000
_SAMPLE_CHARS = 1_000_000
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own
_CANDIDATES = (",", ";", "\t", "|")
_NAMES = {"\t": "tabs", ",": "','", ";": "';'", "|": "'|'"}
_HEADER_WORDS = 3


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How cells are separated and quoted.

    Attributes:
        skipped: lines before the first row, such as Excel's `sep=;`.
        is_escaped: whether a quote within quotes is written \\" rather than doubled.
        is_quoted: False where quotes are ordinary characters.
    """

    delimiter: str = ","
    skipped: int = 0
    is_escaped: bool = False
    is_quoted: bool = True

    @property
    def description(self) -> str:
        """As messages describe it."""
        quoting = "" if self.is_quoted else ", quotes as ordinary characters"
        return f"{delimiter_name(self.delimiter)} between cells{quoting}"

    @property
    def notes(self) -> list[str]:
        """What is unusual about it."""
        found = ["it begins with a sep= line"] if self.skipped else []
        found += ['quotes within a cell are written \\"'] if self.is_escaped else []
        return found + ([] if self.is_quoted else ["quotes are ordinary characters in it"])

    def swallows(self, cells: Sequence[str]) -> bool:
        """Return whether a quote in a file with tabs seems to have opened by chance and swallowed further rows."""
        return (
            self.delimiter == "\t"
            and self.is_quoted
            and any("\t" in cell and ("\n" in cell or "\r" in cell) for cell in cells)
        )

    def rows(self, lines: Iterable[str]) -> Iterator[CsvRow]:
        """Yield the rows of a file's lines; raises as read_csv_rows."""
        kept = itertools.islice(lines, self.skipped, None)
        options = {"escapechar": "\\", "doublequote": False} if self.is_escaped else {}
        quoting = csv.QUOTE_MINIMAL if self.is_quoted else csv.QUOTE_NONE
        rows = read_csv_rows(kept, delimiter=self.delimiter, quoting=quoting, **options)
        return (CsvRow(line + self.skipped, cells) for line, cells in rows) if self.skipped else rows


def delimiter_name(delimiter: str) -> str:
    """Return a delimiter as messages name it."""
    return _NAMES.get(delimiter, f"'{delimiter}'")


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of a file.

    Attributes:
        rows: those with cells; `lines` holds where each starts.
        is_whole: whether that is the whole file.
        error: what ended the rows, if something did.
    """

    lines: list[int]
    rows: list[list[str]]
    is_whole: bool
    error: RowError | None = None

    def width_share(self) -> float:
        """Return the fraction of the rows that have as many cells as the first, 0 if it has only one."""
        width = len(self.rows[0]) if self.rows else 0
        same = sum(len(row) == width for row in self.rows)
        return same / len(self.rows) if width > 1 else 0.0


def first_lines(lines: Iterable[str]) -> tuple[list[str], bool]:
    """Return the first lines of a file, and whether they are all of it."""
    found, chars = [], 0
    for line in lines:
        found.append(line)
        chars += len(line)
        if chars > _SAMPLE_CHARS or len(found) >= 4 * SAMPLE_ROWS:
            return found, False
    return found, True


def sample_of(dialect: Dialect, lines: Sequence[str], *, is_whole: bool) -> Sample:
    """Return the first rows under a dialect."""
    places, rows, error = [], [], None
    try:
        for line, cells in dialect.rows(lines):
            if cells:
                places.append(line)
                rows.append(cells)
            if len(rows) > SAMPLE_ROWS:
                is_whole = False
                break
    except RowError as wrong:
        is_cut = not is_whole and "never closed" in wrong.cause
        error = None if is_cut else wrong
    if not is_whole and len(rows) > 1:  # the last one may be cut off
        places, rows = places[:-1], rows[:-1]
    return Sample(places, rows, is_whole, error)


def find_dialect(
    lines: Sequence[str], settings: ReaderSettings, *, is_whole: bool, prefers_tabs: bool = False
) -> tuple[Dialect, Sample]:
    """Return the dialect that explains the first lines best, and the rows by it.

    Commas win wherever they explain the file; other delimiters are tried where they do not.
    """
    sep = _SEP_LINE.fullmatch(lines[0]) if lines else None
    skipped = 1 if sep else 0
    told = settings.delimiter or (sep[1] if sep else "")
    candidates = [told] if told else list(_CANDIDATES)
    if prefers_tabs and not told:
        candidates.sort(key=lambda delimiter: delimiter != "\t")
    readings = [
        (dialect, sample)
        for delimiter in candidates
        for dialect, sample in _readings(Dialect(delimiter, skipped), lines, is_whole=is_whole)
    ]
    return max(readings, key=lambda reading: _score(reading[1], settings))  # the first among equals


def _readings(dialect: Dialect, lines: Sequence[str], *, is_whole: bool) -> Iterator[tuple[Dialect, Sample]]:
    """Yield the reading by RFC 4180 and, where that fails, others that do not fail."""
    strict = sample_of(dialect, lines, is_whole=is_whole)
    swallows = any(map(dialect.swallows, strict.rows))
    if not swallows:
        yield dialect, strict
        if strict.error is None:
            return
    others = [dataclasses.replace(dialect, is_escaped=True)] if any('\\"' in line for line in lines) else []
    others += [dataclasses.replace(dialect, is_quoted=False)] if dialect.delimiter == "\t" else []
    for other in others:
        sample = sample_of(other, lines, is_whole=is_whole)
        if sample.error is None and sample.width_share() == 1:
            yield other, sample
    if swallows:  # the others come first: they win among equals
        yield dialect, strict


def _score(sample: Sample, settings: ReaderSettings) -> tuple[bool, int, float]:
    """Rate a reading: by its header, by how many rows are as wide as the first, by its labels."""
    if not sample.rows:
        return False, 0, 0.0
    header = sample.rows[0]
    is_header = _has_both(header) or (len(header) > 1 and _names_told(header, settings))
    share = 0 if sample.error else sample.width_share()
    evenness = 2 if share == 1 else 1 if share >= 0.9 else 0
    return is_header, evenness, float(_labels_recur(sample, settings))


def _has_both(cells: Sequence[str]) -> bool:
    return bool(columns.matches(cells, LABEL_NAMES) and columns.matches(cells, TEXT_NAMES))


def _told_names(settings: ReaderSettings) -> set[str]:
    """Return the columns that the settings name rather than number, without case and separators."""
    told = (settings.label_column, settings.text_column, settings.title_column)
    return {columns.bare(name) for name in told if name and not name.isdecimal()}


def _names_told(cells: Sequence[str], settings: ReaderSettings) -> bool:
    """Return whether a row has all the columns that the settings name."""
    names = _told_names(settings)
    return bool(names) and names <= {columns.bare(cell) for cell in cells}


def _labels_recur(sample: Sample, settings: ReaderSettings) -> bool:
    """Return whether the label column, if its place is clear, has recurring values."""
    header = sample.rows[0]
    try:
        roles = roles_of(header, settings, is_named=has_header(sample, settings) is not False)
    except (Unclear, UserError):  # said later, in words
        return False
    column = [row[roles.label or 0] for row in sample.rows if len(row) > (roles.label or 0)]
    return len(set(column)) <= len(column) / 2


def has_header(sample: Sample, settings: ReaderSettings) -> bool | None:
    """Return whether the first row is a header; None if it is neither known as one nor plausible as data."""
    first, others = sample.rows[0], sample.rows[1:]
    if settings.header != "auto":
        return settings.header == "true"
    if _told_names(settings):
        return True
    if columns.is_header(first):
        return _has_both(first) or not _recurs(first, others)
    return None if _looks_foreign(first, others) else False


def _recurs(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether a cell of the first row recurs in its column."""
    return any(
        cell.strip() and any(position < len(row) and row[position] == cell for row in others)
        for position, cell in enumerate(first)
    )


def _looks_foreign(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row looks like names above the others: short words that occur nowhere else."""
    same = [row for row in others if len(row) == len(first)]
    if len(same) < 2 or _recurs(first, same) or not all(_is_short(cell) for cell in first):
        return False
    shapes = shapes_of([""] * len(first), same)
    if any(
        s.kind in ("number", "0 or 1") and c.strip() and not _is_number(c)
        for s, c in zip(shapes, first, strict=True)
    ):
        return True
    has_labels = any(shape.recurs for shape in shapes) and len(same) >= 4
    longest = max(shapes, key=lambda shape: shape.words)
    title = first[shapes.index(longest)]
    return has_labels and num_words(title) < longest.words - 1


def _is_short(cell: str) -> bool:
    return (
        num_words(cell) <= _HEADER_WORDS
        and not _is_number(cell)
        and cell.strip()[-1:] not in (".", "!", "?", "。", "！", "？")
    )


def _is_number(cell: str) -> bool:
    return cell.strip().replace(".", "", 1).removeprefix("-").isdecimal()
