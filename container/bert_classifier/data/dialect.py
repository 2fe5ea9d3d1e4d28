"""How a CSV file separates its cells, from its first rows.

Standard library only.
"""

import csv
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from bert_classifier.data.columns import Unclear, names_both
from bert_classifier.data.header import DELIMITERS, has_header, names_told
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import CsvRow, RowError, read_csv_rows
from bert_classifier.data.roles import roles_of
from bert_classifier.data.shapes import SAMPLE_ROWS
from bert_classifier.errors import UserError

_SAMPLE_CHARS = 1_000_000
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own
_ESCAPED = re.compile(r'(?<!\\)(\\+)"')  # looks at each backslash once
_ALL_AS_WIDE = 2  # in a score
_NAMES = {"\t": "tabs", ",": "','", ";": "';'", "|": "'|'"}


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How cells are separated and quoted.

    Attributes:
        skipped: lines before the first row, such as Excel's `sep=;`.
        is_escaped: whether a quote within quotes is written \\" rather than doubled.
        is_quoted: False where quotes are ordinary characters.
        skips_blanks: whether blanks stand between a delimiter and the quote behind it.
    """

    delimiter: str = ","
    skipped: int = 0
    is_escaped: bool = False
    is_quoted: bool = True
    skips_blanks: bool = False

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
        found += ["blanks stand between delimiters and quotes"] if self.skips_blanks else []
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
        kept: Iterator[str] = itertools.islice(lines, self.skipped, None)
        if self.is_escaped:
            kept = (_ESCAPED.sub(_doubled, line) for line in kept)
        quoting = csv.QUOTE_MINIMAL if self.is_quoted else csv.QUOTE_NONE
        rows = read_csv_rows(
            kept, delimiter=self.delimiter, quoting=quoting, skipinitialspace=self.skips_blanks
        )
        return (CsvRow(line + self.skipped, cells) for line, cells in rows) if self.skipped else rows


def _doubled(escaped: re.Match[str]) -> str:
    """Return an escaped quote as RFC 4180 writes it; of backslashes before it, two are one."""
    backslashes = len(escaped[1])
    return "\\" * (backslashes // 2) + ('""' if backslashes % 2 else '"')


def told_in(line: str) -> str:
    """Return the delimiter that Excel's own first line tells, such as `sep=;`; "" for any other line."""
    match = _SEP_LINE.fullmatch(line)
    return match[1] if match else ""


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
            if any(map(str.strip, cells)):
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


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the first lines of a file are by one dialect.

    Attributes:
        score: how well it explains them; greater is better.
    """

    dialect: Dialect
    sample: Sample
    score: tuple[bool, int, float]

    def ties_with(self, best: "Reading") -> bool:
        """Return whether another delimiter than that of the best cuts all rows alike, and labels recur no less."""
        is_other = self.dialect.delimiter != best.dialect.delimiter
        return is_other and self.score == best.score and self.score[1] == _ALL_AS_WIDE


def find_dialect(
    lines: Sequence[str], settings: ReaderSettings, *, is_whole: bool, prefers_tabs: bool = False
) -> tuple[Dialect, Sample]:
    """Return the dialect that explains the first lines best, and the rows by it.

    Commas win wherever they explain the file; other delimiters are tried where they do not.
    """
    best = ranked_readings(lines, settings, is_whole=is_whole, prefers_tabs=prefers_tabs)[0]
    return best.dialect, best.sample


def ranked_readings(
    lines: Sequence[str], settings: ReaderSettings, *, is_whole: bool, prefers_tabs: bool = False
) -> list[Reading]:
    """Return what the first lines are by each dialect that is possible, the best first; as find_dialect."""
    sep = told_in(lines[0]) if lines else ""
    skipped = 1 if sep else 0
    told = settings.delimiter or sep
    candidates = [told] if told else list(DELIMITERS)
    if prefers_tabs and not told:
        candidates.sort(key=lambda delimiter: delimiter != "\t")
    readings = [
        Reading(dialect, sample, _score(sample, settings))
        for delimiter in candidates
        for dialect, sample in _readings(Dialect(delimiter, skipped), lines, is_whole=is_whole)
    ]
    return sorted(readings, key=lambda reading: reading.score, reverse=True)  # equals stay in their order


def _readings(dialect: Dialect, lines: Sequence[str], *, is_whole: bool) -> Iterator[tuple[Dialect, Sample]]:
    """Yield the reading by RFC 4180 and, where that fails, others that do not fail."""
    strict = sample_of(dialect, lines, is_whole=is_whole)
    spaced = sum(f'{dialect.delimiter} "' in line for line in lines)
    if spaced > len(lines) / 2:
        dialect = dataclasses.replace(dialect, skips_blanks=True)
        strict = sample_of(dialect, lines, is_whole=is_whole)
    swallows = any(map(dialect.swallows, strict.rows)) and not _is_quoted_well(dialect, strict, lines)
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


def _is_quoted_well(dialect: Dialect, strict: Sample, lines: Sequence[str]) -> bool:
    """Return whether quoted cells with tabs and line ends are cells: the lines within them are no rows of the table.

    They are rows where a column has the same values, labels, whether quotes count or not.
    """
    if strict.error is not None or strict.width_share() < 1:
        return False
    plain = sample_of(dataclasses.replace(dialect, is_quoted=False), lines, is_whole=strict.is_whole)
    if plain.width_share() < 1:
        return True
    columns = zip(zip(*strict.rows, strict=True), zip(*plain.rows, strict=True), strict=False)
    return not any({*values} <= {*known} for known, values in columns)


def _score(sample: Sample, settings: ReaderSettings) -> tuple[bool, int, float]:
    """Rate a reading: by its header, by how many rows are as wide as the first, by its labels."""
    if not sample.rows:
        return False, 0, 0.0
    header = sample.rows[0]
    is_header = names_both(header) or (len(header) > 1 and names_told(header, settings))
    share = 0 if sample.error else sample.width_share()
    evenness = _ALL_AS_WIDE if share == 1 else 1 if share >= 0.9 else 0
    return is_header, evenness, float(_labels_recur(sample, settings))


def _labels_recur(sample: Sample, settings: ReaderSettings) -> bool:
    """Return whether the label column, if its place is clear, has recurring values."""
    column = first_labels(sample, settings)
    return len(set(column)) <= len(column) / 2


def first_labels(sample: Sample, settings: ReaderSettings) -> list[str]:
    """Return the cells of the first rows that are labels, where their column is clear."""
    header = sample.rows[0]
    try:
        roles = roles_of(header, settings, is_named=has_header(sample.rows, settings) is not False)
    except (Unclear, UserError):  # said later, in words
        return [""]
    at = roles.labels[0] if roles.labels else roles.label or 0
    return [row[at] for row in sample.rows if len(row) > at]
