"""CSV as it arrives: compared with a slow reference parser, and the files that people really have."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bert_classifier.data.records import MAX_FIELD_CHARS, CsvRow, RowError, read_csv_rows

# Everything that has a meaning in CSV, and much that only seems to have one.
AWKWARD = "ab ,\"\r\n\0;'\t\\\x0b\x0c\x1c\x1d\x85\u2028\u2029\ufeffé北🚀"


def rows_of(text):
    """Return the rows of a text, and the line of the row that could not be read."""
    rows = []
    try:
        for row in read_csv_rows(io.StringIO(text, newline="")):
            rows.append(row)
    except RowError as error:
        return rows, error.line
    return rows, None


def error_of(text):
    """Return the error that a text ends with."""
    with pytest.raises(RowError) as caught:
        list(read_csv_rows(io.StringIO(text, newline="")))
    return caught.value


class Reference:
    """RFC 4180 letter by letter; a quote inside an unquoted cell is data, a blank line has no cells."""

    def __init__(self, text):
        self.text, self.at, self.line = text, 0, 1

    def rows(self):
        """Return what rows_of must return."""
        found: list[CsvRow] = []
        while self.at < len(self.text):
            start, begin = self.line, self.at
            try:
                cells = self.row()
            except ValueError:
                return found, start
            if "\0" in self.text[begin : self.at]:
                return found, start
            found.append(CsvRow(start, cells))
        return found, None

    def row(self):
        cells: list[str] = []
        if self.newline():
            return cells
        while True:
            if self.peek() == '"':
                cells.append(self.quoted_cell())
            else:
                cells.append(self.plain_cell())
            if self.peek() == ",":
                self.at += 1
            elif self.newline() or self.peek() == "":
                return cells
            else:
                raise ValueError("text after a closing quote")

    def plain_cell(self):
        start = self.at
        while self.peek() not in ("", ",", "\r", "\n"):
            self.at += 1
        return self.text[start : self.at]

    def quoted_cell(self):
        self.at += 1
        cell = ""
        while self.peek():
            if self.text.startswith('""', self.at):
                cell += '"'
                self.at += 2
            elif self.peek() == '"':
                self.at += 1
                return cell
            else:
                cell += self.newline() or self.letter()
        raise ValueError("a quote is never closed")

    def newline(self):
        for end in ("\r\n", "\r", "\n"):
            if self.text.startswith(end, self.at):
                self.at += len(end)
                self.line += 1
                return end
        return ""

    def letter(self):
        self.at += 1
        return self.text[self.at - 1]

    def peek(self):
        return self.text[self.at : self.at + 1]


@settings(max_examples=400)
@given(st.text(alphabet=AWKWARD, max_size=60))
@example('a,"b\r\nc""d"\r\n\r\n"x"y')
@example('say "hi", he said\n"a", b')
@example('"a\r"\rb\r\n\n"')
@example('a,\n,\n"",""\n\0')
def test_reader_agrees_with_the_reference(text):
    """Cells, starting lines and the row of the first mistake are those of the reference."""
    assert rows_of(text) == Reference(text).rows()


@given(
    st.lists(
        st.lists(st.text(alphabet=AWKWARD.replace("\0", ""), max_size=8), min_size=1, max_size=4), max_size=6
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_is_written_is_read(table, end):
    """A table written by Python's own writer comes back cell by cell, whatever its line ends."""
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(table)
    rows, wrong = rows_of(file.getvalue())
    assert ([row.cells for row in rows], wrong) == (table, None)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_exotic_separators_are_data(separator):
    """Only LF, CR and CRLF end a row: VT, FF, FS, NEL, LS and the like are part of a text."""
    assert rows_of(f"1,a{separator}b\n2,c")[0] == [
        CsvRow(1, ["1", f"a{separator}b"]),
        CsvRow(2, ["2", "c"]),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_rows_without_cells(end):
    """A blank line is told apart from a row with one empty cell, and keeps the count of lines right."""
    rows, _ = rows_of(end.join(["a", "", '""', " ", "b"]))
    assert [(row.line, row.cells) for row in rows] == [(1, ["a"]), (2, []), (3, [""]), (4, [" "]), (5, ["b"])]


def test_unbalanced_quote_names_the_line_that_opened_it():
    """The row whose quote swallowed the rest of the file is named, not the file's last line."""
    error = error_of('1,a\n2,"b\nc"\n3,"never closed\n4,x\n5,y\n')
    assert error.line == 4
    assert "never closed" in error.cause
    assert "Close it" in error.remedy


def test_balanced_by_accident_is_still_refused():
    """A forgotten quote that meets the next row's opening one is refused, not read as one row of two."""
    error = error_of('1,"a\n2,"b"\n')
    assert error.line == 1
    assert "not valid CSV" in error.cause


def test_nul_is_refused_with_its_row():
    """A NUL, the mark of UTF-16 or of a broken file, is refused where it stands."""
    error = error_of('1,a\n2,"x\ny\0"\n')
    assert (error.line, error.cause) == (2, "it holds a NUL character")


def test_longest_cell_is_read_and_a_longer_one_refused():
    """A cell of 16 Mi characters is a text; one of 17 MB is a mistake, refused at its row."""
    longest = "x" * MAX_FIELD_CHARS
    rows, wrong = rows_of(f'1,"{longest}"\n')
    assert (rows[0].cells[1] == longest, wrong) == (True, None)
    error = error_of(f"1,a\n2,{longest}{'x' * 300_000}\n")
    assert error.line == 2
    assert "longer than 16,777,216 characters" in error.cause


def test_unclosed_quote_in_a_big_file_names_its_line():
    """When an open quote swallows more than a cell can hold, the row that opened it is named."""
    lines = (line for part in (["1,a\n", '2,"open\n'], ["3,more text\n"] * 2_000_000) for line in part)
    with pytest.raises(RowError, match="longer than") as caught:
        list(read_csv_rows(lines))
    assert caught.value.line == 2
    assert "quote" in caught.value.remedy


def test_rows_come_one_by_one():
    """Reading does not wait for the end: the rows before a mistake are there before it is met."""
    rows = read_csv_rows(io.StringIO('1,a\n2,"b\n', newline=""))
    assert next(rows).cells == ["1", "a"]
    with pytest.raises(RowError):
        next(rows)
