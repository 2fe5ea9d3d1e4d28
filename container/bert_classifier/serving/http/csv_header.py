"""Whether the first row of a complete CSV body is a header."""

from collections.abc import Sequence
from typing import NamedTuple

from bert_classifier.data.columns import LABEL_NAMES, bare, matches, names_both
from bert_classifier.data.csv_looks import cells_of
from bert_classifier.data.csv_table import fitted
from bert_classifier.data.dialect import Dialect, Sample, told_in
from bert_classifier.data.first_row import MOST_COLUMNS
from bert_classifier.data.header import DELIMITERS
from bert_classifier.data.shapes import num_words
from bert_classifier.data.text_columns import columns_named
from bert_classifier.job.answer_form import PRESENT
from bert_classifier.serving.http.body_records import Lines, RecordError
from bert_classifier.serving.http.csv_form import CsvForm, bad_csv
from bert_classifier.serving.http.csv_rows import rows_of

_DELIMITERS = ",;\t|~^"  # the last two are recognised in a header, but in no table
_ANNOUNCE = "Send the Content-Type text/csv; header=present; if it is a text, text/csv; header=absent."


class FirstRow(NamedTuple):
    """The first row that is not blank: its cells by each delimiter that it has, and by commas; its first line."""

    readings: list[tuple[str, list[str]]]
    line: str
    is_below_sep: bool = False

    def is_quoted(self, delimiter: str) -> bool:
        """Return whether a quote stands beside the delimiter, which so separates cells."""
        return f'"{delimiter}' in self.line or f'{delimiter}"' in self.line


def first_row(lines: Lines, told: str) -> FirstRow:
    """Return the first row.

    Args:
        told: a delimiter that the training was told.
    """
    line = next(filter(_is_filled, lines), "")
    sep = told_in(line) if lines.start == 0 else ""
    if sep:
        line = next(filter(_is_filled, lines), "")
    delimiters = (sep,) if sep else DELIMITERS if not told or told in DELIMITERS else (*DELIMITERS, told)
    if '"' not in line:
        text = line.rstrip("\r\n")
        present = [delimiter for delimiter in delimiters if delimiter == "," or delimiter in text]
        return FirstRow([(delimiter, cells_of(text, delimiter)) for delimiter in present], line, bool(sep))
    start, readings = lines.start, []
    for delimiter in delimiters:  # the row may go on below
        lines.position = start
        dialect = Dialect(delimiter, skips_blanks=f'{delimiter} "' in line)
        _, cells = next(rows_of(lines, dialect))
        if not isinstance(cells, RecordError) and (delimiter == "," or len(cells) > 1):
            readings.append((delimiter, cells))
    return FirstRow(readings, line, bool(sep))


def _is_filled(line: str) -> bool:
    return bool(line.strip().strip(",;|"))


def likely_delimiters(first: FirstRow, form: CsvForm) -> list[str]:
    """Return the delimiters by which the first row looks like a header."""
    found = []
    for delimiter, cells in first.readings:
        if form.header == PRESENT and len(cells) > MOST_COLUMNS:
            raise bad_csv(
                f"The header names more than {MOST_COLUMNS} columns.", "Send the text's column alone."
            )
        is_likely = form.is_likely_header(cells)
        if delimiter not in DELIMITERS:  # blanks, perhaps, as in any text
            is_likely = names_both(cells) or len(form.fields.names & {*map(bare, cells)}) > 1
        if is_likely and (form.header == PRESENT or not form.has_class(cells)):
            found.append(delimiter)
    return found


def check_only_name(names: Sequence[str], form: CsvForm) -> None:
    """Refuse the only name of a header if it may be several, is one of labels, or lacks the training's title."""
    if any(mark in names[0] for mark in _DELIMITERS) and form.is_likely_header(names):
        raise bad_csv(
            "The first row looks like a header, but its columns are not separated as those below it, or by an unusual"
            " sign.",
            f"Separate all columns by commas, semicolons, tabs or bars. {_ANNOUNCE}",
        )
    label = bare(form.fields.label)
    if matches(names, LABEL_NAMES) or (label and label == bare(names[0])):
        raise bad_csv(
            "The only column is named as labels are: there is no column of texts.",
            "Name the column of texts, such as text; if the first row is a text, send text/csv; header=absent.",
        )
    if form.fields.title:
        columns_named(names, form.fields)


def refuse_doubtful(sample: Sample, form: CsvForm) -> None:
    """Refuse a first row that looks like a header, but not to the rows below it.

    Raises:
        RequestError: 400 when the row or all below it cannot be read, when most of these are of another width, when
            one has the same cell, or when the row may be a text like them.
    """
    header, rows = sample.rows[0] if sample.rows else [], sample.rows[1:]
    if not header:  # such as one with a NUL
        what = "it cannot be read"
    elif not rows:
        what = "there is no row below it" if sample.error is None else "the row below it cannot be read"
    else:
        what = _doubt_about_names(header, rows) if len(header) > 1 else ""
        what = what or _doubt_about_repetition(header, rows, form)
    if what:
        raise bad_csv(f"The first row looks like a header, which names columns, but {what}.", _ANNOUNCE)


def _doubt_about_names(header: Sequence[str], rows: Sequence[list[str]]) -> str:
    """Return why several cells may be no names of the columns below them; "" without a doubt."""
    width, is_prose = len(header), _has_blanks(header)
    is_weak = is_prose or not names_both(header)
    if 2 * sum(len(fitted(row, width)) == width for row in rows) < len(rows) + is_weak:
        return f"most rows have not as many cells as it, {width}"
    if any(mark in name for name in header for mark in DELIMITERS):
        return "a name in it holds another delimiter"
    if is_prose and not names_both(header):
        return "blanks stand before its names, as in a text"
    return ""


def _has_blanks(header: Sequence[str]) -> bool:
    """Return whether blanks stand behind the delimiters, as in prose, which may have such words too."""
    return any(name[:1].isspace() for name in header[1:])


def _doubt_about_repetition(header: Sequence[str], rows: Sequence[list[str]], form: CsvForm) -> str:
    """Return why a header may be a row like those below it; "" without a doubt."""
    is_weak = _has_blanks(header) or not names_both(header)
    if is_weak and any(
        form.is_likely_header([name]) and any(row[at : at + 1] == [name] for row in rows)
        for at, name in enumerate(header)
    ):
        return "its names occur in other rows too"
    if len(header) == 1 and not form.is_only_name(header[0]) and not _is_above_texts(header[0], rows):
        return "a row below it is as short"
    return ""


def _is_above_texts(name: str, rows: Sequence[Sequence[str]]) -> bool:
    """Return whether each row below a name is longer, so that the name is none of them."""
    return all(num_words(",".join(row)) > max(2, num_words(name)) for row in rows)


def refuse_numbers(first: FirstRow, lines: Lines) -> None:
    """Refuse a first row of numbers from 0 above texts, which pandas writes for columns without names.

    Args:
        lines: at the row below it.
    Raises:
        RequestError: 400.
    """
    if any(cells == [str(at) for at in range(len(cells))] for _, cells in first.readings):
        below = next(filter(_is_filled, lines), "")
        if any(map(str.isalpha, below)):
            raise bad_csv(
                "The first row holds numbers as pandas gives them to columns without names.", _ANNOUNCE
            )
