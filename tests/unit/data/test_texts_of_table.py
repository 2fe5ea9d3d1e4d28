"""The texts of a file that is classified: every row, in order, whatever its label."""

import json
from pathlib import Path

import pytest

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.records import RowError
from bert_classifier.data.table import open_table


def texts_of(path: Path, content: str, **settings: str) -> list[tuple[int | str, ...]]:
    """Return line, text and title of all rows, or line and cause."""
    path.write_text(content, encoding="utf-8")
    table = open_table(path, ReaderSettings(**settings), needs_label=False)
    return [(row.line, row.cause) if isinstance(row, RowError) else tuple(row) for row in table.texts()]


@pytest.mark.parametrize(
    ("content", "settings", "rows"),
    [
        (
            "label,text\n,one\n7,\n\n,\nNaN,two\n",
            {},
            [(2, "one", ""), (3, "", ""), (5, "", ""), (6, "two", "")],
        ),
        (",,\n\nlabel,title,text\n7,A,one\n7,B,\n", {}, [(4, "one", "A"), (5, "B", "")]),
        ("title,text\nA,one\n", {"title_column": "title"}, [(2, "A one", "")]),
        ("1,A,one\n2,,two\n", {}, [(1, "one", "A"), (2, "two", "")]),
        ("a,b,c,d\n1,2,3,one\n", {"text_column": "4", "header": "true"}, [(2, "one", "")]),
        ("1,2,3,one\n", {"text_column": "4", "header": "false"}, [(1, "one", "")]),
        (
            "label;text\n1;one;x\n",
            {},
            [(2, "it has 3 cells instead of 2: quote cells that hold the delimiter")],
        ),
    ],
)
def test_every_row_of_csv_has_a_text_or_a_reason(tmp_path, content, settings, rows):
    """Only blank lines are none; a label may be missing."""
    assert texts_of(tmp_path / "a.csv", content, **settings) == rows


def test_labels_that_would_be_implausible_do_not_matter(tmp_path):
    """Nor how many there are."""
    content = "label,text\n" + "".join(f"reason {i} of many more,text {i}\n" for i in range(50))
    assert len(texts_of(tmp_path / "a.csv", content)) == 50


def test_records_whose_label_does_not_hold_have_a_text(tmp_path):
    """Rejected in Prodigy, labelled twice in Ground Truth."""
    rejected = {"text": "one", "label": "A", "answer": "reject", "_task_hash": 1}
    assert texts_of(tmp_path / "a.jsonl", json.dumps(rejected) + '\n{"id": 1}\n')[0] == (1, "one", "")
    jobs = dict.fromkeys("ab", 0) | {f"{job}-metadata": {"class-name": "A"} for job in "ab"}
    assert texts_of(tmp_path / "a.manifest", json.dumps({"source": "one", **jobs})) == [(1, "one", "")]


def test_lines_of_fasttext_have_a_text_whatever_their_labels(tmp_path):
    """Several labels or none before it; a blank line has no text, but its place."""
    content = "__label__A __label__B one\n\n__label__C two\nthree\n__label__D,four\n"
    rows = texts_of(tmp_path / "a.txt", content)
    assert rows == [
        (1, "one", ""), (2, "", ""), (3, "two", ""), (4, "it does not begin with __label__"), (5, "", ""),
    ]  # fmt: skip
    (tmp_path / "b.txt").write_text(content)
    trained = [*open_table(tmp_path / "b.txt").rows()]
    assert [row.cause[:15] for row in trained if isinstance(row, RowError)] == [
        "it does not beg",
        "a comma follows",
    ]
