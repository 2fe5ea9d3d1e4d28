"""The worked example's dataset: every layout of CSV and JSON Lines that it reads, and what it refuses."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from support.clear_text import assert_clear
from support.fakes import CLASS_NAMES, toy_rows, write_csv

ROWS = [("An apple.", "1"), ("A river.", "2")]


def dataset_of(folder: Path, *contents: str, suffix: str = ".csv") -> DbpediaDataset:
    """Return a dataset of files with these contents, called part-0, part-1 and so on."""
    files = [folder / f"part-{number}{suffix}" for number in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_text(content, encoding="utf-8", newline="")
    return DbpediaDataset(files)


def items_of(dataset: DbpediaDataset) -> list[Any]:
    """Return all items, in order."""
    return [dataset[index] for index in range(len(dataset))]


LAYOUTS = {
    "class_index, title, abstract": '1,Apple,"An apple."\n2,River,A river.\n',
    "label, text": "1,An apple.\n2,A river.\n",
    "DBpedia's names": "class_index,title,abstract\n1,Apple,An apple.\n2,River,A river.\n",
    "names of the Hugging Face copy": "label,title,content\n1,Apple,An apple.\n2,River,A river.\n",
    "swapped": "text,label\nAn apple.,1\nA river.,2\n",
    "foreign columns between": "id,text,source,label\n7,An apple.,x,1\n8,A river.,y,2\n",
    "a column that is no word": "label,created (UTC),text\n1,2024,An apple.\n2,2025,A river.\n",
    "capitals and blanks": " Class Index ,\tSentence \n1,An apple.\n2,A river.\n",
    "byte order mark": "\ufefflabel,text\n1,An apple.\n2,A river.\n",
    "byte order mark, no header": "\ufeff1,An apple.\n2,A river.\n",
    "CRLF and blank lines": "label,text\r\n\r\n1,An apple.\r\n\r\n2,A river.\r\n",
    "no line end": "1,An apple.\n2,A river.",
    "labels between blanks": "label,text\n 1 ,An apple.\n2\t,A river.\n",
    "all quoted": '"1","Apple","An apple."\n"2","River","A river."\n',
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_read(tmp_path, name):
    """However the columns stand, an item is its text and its label as they are in the file."""
    assert items_of(dataset_of(tmp_path, LAYOUTS[name])) == ROWS


def test_files_with_different_headers_are_read_together(tmp_path):
    """Each file has its own layout: with a header, without one, and in another order."""
    files = ("1,Apple,An apple.\n", "text,label\nA river.,2\n", "category,sentence\n3,An engine.\n")
    assert items_of(dataset_of(tmp_path, *files)) == [*ROWS, ("An engine.", "3")]


def test_quoted_cells_keep_everything(tmp_path):
    """Commas, doubled quotes, line ends and odd separators inside quotes are part of the text."""
    text = 'He said "no",\nthen\r\nleft.\x0b\u2028 End'
    quoted = text.replace('"', '""')
    items = items_of(dataset_of(tmp_path, f'1,t,"{quoted}"\n2,t,next\n'))
    assert items == [(text, "1"), ("next", "2")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)))
def test_any_text_comes_back_as_it_was_written(tmp_path, rows):
    """What csv.writer quotes is read unchanged; a row of blanks is counted, not read."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(["1", text] for text in rows)
    dataset = dataset_of(tmp_path, file.getvalue())
    assert items_of(dataset) == [(text, "1") for text in rows if text.strip()]
    assert dataset.num_empty == sum(not text.strip() for text in rows)


def test_toy_rows_survive_the_trip(tmp_path):
    """The rows that other tests train on are read back with their numbers."""
    rows = toy_rows(30)
    items = items_of(DbpediaDataset([write_csv(tmp_path / "train.csv", rows)]))
    assert items == [(text, str(CLASS_NAMES.index(label) + 1)) for label, text in rows]


def test_title_stands_in_for_an_empty_text(tmp_path):
    """A row without an abstract is classified by its title; one with neither is left out and counted."""
    dataset = dataset_of(tmp_path, '1,Apple,"  "\n2,River,A river.\n1," ",\n2,,""\n')
    assert items_of(dataset) == [("Apple", "1"), ("A river.", "2")]
    assert dataset.num_empty == 2


def test_places_are_those_of_the_files(tmp_path):
    """Each item knows the file and the line on which its row starts, quoted line ends counted."""
    dataset = dataset_of(tmp_path, 'label,text\n1,"two\nlines"\n\n2,b\n', "1,,\n1,t,c\n")
    places = [dataset.place_of(index) for index in range(len(dataset))]
    assert places == ["part-0.csv line 2", "part-0.csv line 5", "part-1.csv line 2"]


JSON_ROWS = [
    {"label": "1", "text": "An apple."},
    {"label": 2, "text": "A river."},
    {"text": "An engine.", "other": [1, {"a": None}], "label": 3.0},
    {"text": "A violin.", "label": ["4"], "title": "ignored"},
    {"label": "5", "title": "Only a title"},
    {"label": -6, "text": "\u2028 x \u0000?"},
    {"label": True, "text": "An opinion."},
]


def test_json_lines_are_read(tmp_path):
    """Fields in any order; whole numbers and booleans as labels; other fields are ignored."""
    lines = "\n".join(json.dumps(row) for row in JSON_ROWS) + "\n\n"
    items = items_of(dataset_of(tmp_path, lines, suffix=".jsonl"))
    assert [label for _, label in items] == ["1", "2", "3", "4", "5", "-6", "true"]
    assert [text for text, _ in items[:5]] == [
        "An apple.", "A river.", "An engine.", "A violin.", "Only a title",
    ]  # fmt: skip


def test_json_row_without_any_text_is_counted(tmp_path):
    """An empty text is left out in JSON Lines as in CSV."""
    dataset = dataset_of(
        tmp_path, '{"label": "1", "text": " "}\n{"label": "1", "text": null}\n', suffix=".JSONL"
    )
    assert (len(dataset), dataset.num_empty) == (0, 2)


BAD_FILES = {
    "a cell too many": ("1,a\n2,b,c\n", "part-0.csv line 2: it has 3 cells instead of 2"),
    "a cell too few": ("label,x,text\n1,2\n", "line 2: it has 2 cells instead of 3"),
    "empty label": ("1,a\n ,b\n", "line 2: the label is empty"),
    "one column": ("An apple.\n", "has one column, read with ',' between cells"),
    "four columns": ("1,a,b,c\n", "4 columns and no header that is known"),
    "four columns by semicolons": ("1;a;b;c\n2;a, x;b;c\n", "It was read as CSV with ';' between cells"),
    "half an array": (
        '[{"label": "1", "text": "a"},\n',
        "record 2 of the JSON array is the last: the array is not closed",
    ),
    "header without a label": ("title,text\n", "no column is known as the label"),
    "header without a text": ("label,author\n", "no column is known as the text"),
    "two labels": ("label,class,text\n", "2 columns could be the label: 'label' and 'class'"),
    "the same name twice": ("label,text,text\n", "2 columns could be the text: 'text'"),
    "open quote": ('1,a\n2,"b\n3,c\n', "line 2: a quote opened in this row is never closed"),
    "text behind a quote": ('1,a\n2,"b" c\n', "line 2: it is not valid CSV"),
    "NUL": ("1,a\0b\n", "line 1: it holds a NUL"),
}
BAD_LINES = {
    "not JSON": ('{"label": "1", "text": "a"}\n{"label"\n', "part-0.jsonl line 2: it is not valid JSON"),
    "no object": ('["1", "a"]\n', "record 1: it is not a JSON object"),
    "no label": ('{"text": "a"}\n', "no column is known as the label"),
    "label null": ('{"label": null, "text": "a"}\n', "the label is empty"),
    "label with a fraction": ('{"label": 1.5, "text": "a"}\n', "the label is a number with a fraction"),
    "label an object": ('{"label": {"a": 1}, "text": "a"}\n', "the label is an object"),
    "an empty list": ('{"label": [], "text": "a"}\n', "the label is empty, a list without entries"),
    "a list within a list": ('{"label": [["1"]], "text": "a"}\n', "a list of spans or objects"),
    "text a number": ('{"label": "1", "text": 5}\n', "the text must be a string, not a number"),
    "title a list": ('{"label": "1", "text": "", "title": []}\n', "the title must be a string, not a list"),
    "two texts": ('{"label": "1", "text": "a", "content": "b"}\n', "2 columns could be the text"),
    "fields that differ": (
        '{"label": "1", "text": "a"}\n{"label": "1", "txt": "b"}\n',
        "line 2: it has no field 'text'",
    ),
    "NaN": ('{"label": NaN, "text": "a"}\n', "line 1: it is not valid JSON"),
    "half a pair": ('{"label": "1", "text": "\\ud800"}\n', "line 1: the text holds half of a surrogate pair"),
}


@pytest.mark.parametrize(
    ("suffix", "content", "expected"),
    [
        *(pytest.param(".csv", *case, id=name) for name, case in BAD_FILES.items()),
        *(pytest.param(".jsonl", *case, id=name) for name, case in BAD_LINES.items()),
    ],
)
def test_bad_file_is_refused(tmp_path, suffix, content, expected):
    """The message names file and reason, the line where one is to blame, and says what to do."""
    with pytest.raises(UserError, match=expected) as caught:
        dataset_of(tmp_path, content, suffix=suffix)
    assert_clear(caught.value)
    assert f"part-0{suffix}" in caught.value.cause


def test_all_bad_rows_are_counted(tmp_path):
    """One mistake does not hide the others, and thousands of them do not flood the message."""
    with pytest.raises(UserError, match=r"^3,000 rows of the data cannot be used: ") as caught:
        dataset_of(tmp_path, ",a\n" * 1500, "x,b\n" + ",b\n" * 1500)
    assert caught.value.cause.endswith("part-0.csv line 3 and 2997 more: the label is empty.")
    assert_clear(caught.value)


def test_file_that_is_not_utf8_is_refused(tmp_path):
    """Another encoding is refused with the line on which it shows, never read as rubbish."""
    (tmp_path / "train.csv").write_bytes("1,Gross\n2,Größe\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"train\.csv is not UTF-8 in line 2\. .* encoding=") as caught:
        DbpediaDataset([tmp_path / "train.csv"])
    assert_clear(caught.value)
