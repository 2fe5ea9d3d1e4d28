"""What the first bytes, the names and the class files tell, before a row is read: refused by name, or warned of."""

import gzip
import io
import logging
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.data.class_list import read_class_names
from bert_classifier.data.examples import require_rows
from bert_classifier.data.forms import form_of, read_form_lines
from bert_classifier.data.job_files import check_files
from bert_classifier.data.records import text_problem
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Channel, Environment

ROWS = b"label,text\n" + b"praise,all is well\nblame,this broke\n" * 20
JAPANESE = "label,text\n良い,とても良い\n".encode("iso2022_jp")
RUSSIAN = "label,text\nда,хорошо\n"


def _tar(mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("a.csv")
        member.size = len(ROWS)
        archive.addfile(member, io.BytesIO(ROWS))
    return packed.getvalue()


def _refusal(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return f"{caught.value.cause} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(gzip.compress(ROWS, mtime=0), mtime=0), "a.csv is gzip within gzip. Unpack it once."),
        (_tar("w"), "a.csv is a tar archive."),
        (_tar("w:gz"), "a.csv is a tar archive."),
        (JAPANESE, "Set encoding=iso2022_jp"),
        (ROWS.decode().encode("utf-16-le"), "Set encoding=utf-16-le"),
        (ROWS.decode().encode("utf-16-be"), "Set encoding=utf-16-be"),
    ],
    ids=["gzip twice", "tar", "tar.gz", "ISO-2022-JP", "UTF-16LE", "UTF-16BE"],
)
def test_form_that_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    """A file is refused as what it is."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert expected in _refusal(form_of, path, "a.csv")


@pytest.mark.parametrize(
    "content", [ROWS + bytes(4096), bytes(511) + ROWS, b"a,b\0\0\0\0\n" * 99], ids=["end", "begin", "cells"]
)
def test_zeros_that_pad_are_not_utf16(tmp_path: Path, content: bytes) -> None:
    """Only zeros at every other place tell UTF-16."""
    (tmp_path / "a.csv").write_bytes(content)
    assert form_of(tmp_path / "a.csv", "a.csv").encoding_name == "UTF-8"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(JAPANESE, "iso2022_jp"), (ROWS.decode().encode("utf-16-le"), "utf-16-le"), (b"\x1b(B" + ROWS, "")],
)
def test_encoding_that_is_read(tmp_path: Path, content: bytes, encoding: str) -> None:
    """The setting that a refusal names reads the file; a terminal's escape is no Japanese."""
    (tmp_path / "a.csv").write_bytes(content)
    form = form_of(tmp_path / "a.csv", "a.csv", encoding)
    lines = list(read_form_lines(tmp_path / "a.csv", "a.csv", form))
    assert "".join(lines) == content.decode(encoding or "utf-8")


@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "shift_jis"])
def test_bytes_that_are_not_utf8_name_the_usual_encodings(tmp_path: Path, encoding: str) -> None:
    """Western, Cyrillic and Japanese ones."""
    (tmp_path / "a.csv").write_bytes(RUSSIAN.encode("cp1251"))
    form = form_of(tmp_path / "a.csv", "a.csv")
    sentence = _refusal(list, read_form_lines(tmp_path / "a.csv", "a.csv", form))
    assert "a.csv is not UTF-8 in line 2" in sentence
    assert encoding in sentence


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("label\nblame\npraise\n", "c.txt line 1, 'label', looks like a header. Remove it;"),
        ("Class_Name\nblame\npraise\n", "c.txt line 1, 'Class_Name', looks like a header."),
        ("categories\nblame\n", "c.txt line 1, 'categories', looks like a header."),
        ("blame,praise\n", "c.txt has all its classes in one line. List one class per line."),
        ("blame; praise", "c.txt has all its classes in one line."),
        ("blame\n", "needs at least two classes, and c.txt lists only the class 'blame'."),
        ("", "needs at least two classes, and c.txt lists no class."),
        ("a\n\nb\n", "c.txt line 2 is empty."),
    ],
)
def test_class_file_that_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    """A list of classes is refused by the name that its user knows."""
    (tmp_path / "c.txt").write_text(content)
    assert expected in _refusal(read_class_names, tmp_path / "c.txt", "c.txt")


@pytest.mark.parametrize(
    "names", [["praise", "label"], ["classic", "topical"], ["praise, high", "blame, low"]]
)
def test_class_file_that_is_read(tmp_path: Path, names: list[str]) -> None:
    """A header's word may be a class below the first line, and names may have commas."""
    (tmp_path / "c.txt").write_text("\n".join(names))
    assert read_class_names(tmp_path / "c.txt") == names


@pytest.mark.parametrize(
    ("names", "train_file", "warned"),
    [
        (("train.csv", "test.csv"), "", True),
        (("reviews_Train-0.csv", "dev/part.csv"), "", True),
        (("train.csv", "test.csv"), "train.csv", False),
        (("train-0.csv", "train-1.csv"), "", False),
        (("trains.csv", "contest.csv", "value.csv"), "", False),
    ],
)
def test_splits_side_by_side_are_warned_of(
    ml_root: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...], train_file: str, warned: bool
) -> None:
    """The files that are trained on together are named, with the settings that part them."""
    shutil.rmtree(ml_root / "input/data/train")
    for name in names:
        path = ml_root / "input/data/train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ROWS)
    with caplog.at_level(logging.WARNING):
        check_files(TrainConfig(max_seq_length=64, train_file=train_file), Environment.read(ml_root, {}))
    found = [record.getMessage() for record in caplog.records if "like splits" in record.getMessage()]
    assert len(found) == warned
    assert all(part in line for line in found for part in (*names, "train_file=", "VALIDATION=", "TEST="))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "an object"),
        ([], "a list"),
        (1, "a number"),
        (0.5, "a number"),
        (True, "true or false"),
        (None, "null"),
    ],
)
def test_values_are_named_in_the_words_of_json(value: object, words: str) -> None:
    """Who writes JSON may not know Python."""
    assert text_problem(value) == f"the text must be a string, not {words}"


@pytest.mark.parametrize("name", ["a.dat", "a.psv", "a.csv.txt"])
def test_suffix_that_does_not_count(tmp_path: Path, name: str) -> None:
    """The message does not deny the content, and the setting it names reads the file."""
    (tmp_path / name).write_bytes(ROWS)
    channel = Channel("train", tmp_path)
    sentence = _refusal(channel.files)
    assert "content" not in sentence
    assert all(part in sentence for part in (name, ".csv .jsonl", "train_file=NAME reads a file of any name"))
    assert channel.files(name) == [tmp_path / name]
    assert "_file=" not in _refusal(Channel("test", tmp_path).files)


@pytest.mark.parametrize("content", [b"label,text\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_no_usable_row_names_the_file(tmp_path: Path, content: bytes) -> None:
    """A header or a byte order mark alone."""
    (tmp_path / "a.csv").write_bytes(content)
    assert "a.csv" in _refusal(lambda: require_rows(DbpediaDataset([tmp_path / "a.csv"]), "train"))
