"""Files of lines: UTF-8 and what is said about everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.records import RowError, read_csv_rows, read_lines
from bert_classifier.errors import UserError


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Return the path of a file to write."""
    return tmp_path_factory.mktemp("files") / "data.csv"


def refusal(path, raw):
    """Return the whole sentence with which a file of these bytes is refused."""
    path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        list(read_lines(path))
    return str(caught.value)


def test_lines_keep_their_ends(path):
    """LF, CR and CRLF end a line and stay on it; nothing else ends one."""
    path.write_bytes("a\nb\r\nc\rd\x0b\x0c\x85\u2028e".encode())
    assert list(read_lines(path)) == ["a\n", "b\r\n", "c\r", "d\x0b\x0c\x85\u2028e"]


def test_byte_order_mark_is_dropped_at_the_start_only(path):
    """An editor's mark does not stick to the first cell; inside the file it is data."""
    path.write_bytes(b"\xef\xbb\xbflabel,text\n\xef\xbb\xbf1,a\n")
    assert list(read_lines(path)) == ["label,text\n", "\ufeff1,a\n"]


def test_quoted_first_cell_after_a_byte_order_mark(path):
    """A mark before a quote does not turn the quotes into data."""
    path.write_bytes(b'\xef\xbb\xbf"a","b"\n')
    assert [row.cells for row in read_csv_rows(read_lines(path))] == [["a", "b"]]


def test_empty_file_has_no_lines(path):
    """Nothing, or nothing but a mark, is no line at all."""
    for raw in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(raw)
        assert list(read_lines(path)) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\x80",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe9t\xe9",
        b"\xe2\x82",
        b"\xef\xbb",
    ],
    ids=["never", "continuation", "overlong", "surrogate", "too-high", "latin-1", "cut-short", "half-a-mark"],
)
@pytest.mark.parametrize("before", [b"", b"1,ok\r\n2,", "\ufeff1,ä北🚀\n".encode(), b"1,abc\n" * 50_000])
def test_byte_that_is_not_utf8_is_found(path, before, bad):
    """The first wrong byte is named by its offset in the file and its line, even far into the file."""
    sentence = refusal(path, before + bad)
    line = before.count(b"\n") + 1
    assert f"data.csv is not UTF-8 at byte {len(before)} (line {line}); it may be Latin-1" in sentence
    assert "iconv" in sentence


@given(st.text().filter(lambda t: "\r" not in t), st.binary(max_size=5))
def test_offset_is_that_of_the_first_wrong_byte(path, text, tail):
    """Whatever stands around it, the offset counts the bytes before the first wrong one."""
    before = text.encode("utf-8", errors="ignore")
    assert f" at byte {len(before)} (" in refusal(path, before + b"\xff" + tail)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_recognised_by_its_mark(path, encoding):
    """A spreadsheet's "Unicode text" is refused as what it is."""
    sentence = refusal(path, "\ufeff1,Größe\n".encode(encoding))
    assert "it may be UTF-16" in sentence


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_utf16_without_a_mark_is_refused_for_its_nuls(path, encoding):
    """Wide characters without a mark are valid UTF-8 by accident; their NULs give them away."""
    path.write_bytes("1,abc\n2,def\n".encode(encoding))
    with pytest.raises(RowError, match="NUL") as caught:
        list(read_csv_rows(read_lines(path)))
    assert caught.value.line == 1


@pytest.mark.parametrize(
    "raw", [b"PAR1\x15\x04\x15\xe8", b"\x1f\x8b\x08\x00\xff", b"PK\x03\x04\x14\x00\xff\xfe"]
)
def test_binary_file_with_a_csv_name_is_refused(path, raw):
    """Parquet, gzip and zip under a false name are refused as not being text."""
    assert "is not UTF-8" in refusal(path, raw)


def test_lines_before_a_wrong_byte_are_not_lost_silently(path):
    """Reading goes on up to the mistake and then says so: a file is never silently cut short."""
    path.write_bytes(b"a\n" * 100_000 + b"\xff\n")
    seen: list[str] = []
    with pytest.raises(UserError, match="line 100001"):
        seen.extend(read_lines(path))
    assert set(seen) == {"a\n"}


def test_missing_file_and_folder_are_refused(tmp_path):
    """A path that is no file is refused with the system's reason."""
    with pytest.raises(UserError, match=r"Cannot read .*gone\.csv: No such file"):
        list(read_lines(tmp_path / "gone.csv"))
    with pytest.raises(UserError, match="Is a directory"):
        list(read_lines(tmp_path))
