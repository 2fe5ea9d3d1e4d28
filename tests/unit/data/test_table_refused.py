"""Files that are refused: the message says what was understood and which setting mends it."""

import gzip
import json
import shutil

import pytest

from bert_classifier.data.job_files import reads_tables
from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from support.clear_text import assert_clear
from support.labelled_lines import PAIRS, TEXTS, labelled_lines
from support.source_tree import PACKAGE

JSON_LINES = "".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in PAIRS)
JOB = {"letters": 0, "letters-metadata": {"class-name": "praise", "confidence": 0.9}}
REFUSED: dict[str, tuple[str, str | bytes, dict[str, str], tuple[str, ...]]] = {
    "unknown header": (
        "data.csv",
        "kind,prose\n" + labelled_lines("{label},{text}"),
        {},
        ("kind", "label_column=kind text_column=prose"),
    ),
    "unknown header with blanks": (
        "data.csv",
        "Ticket kind,What happened\n" + labelled_lines("{label},{text}"),
        {},
        ('label_column="Ticket kind"',),
    ),
    "unknown header over sorted rows": (
        "data.csv",
        "kind,prose\n" + labelled_lines("{label},{text}", [("billing", text) for text in TEXTS]),
        {},
        ("line 1 looks like a header", "header=false"),
    ),
    "unknown header over few rows": (
        "data.csv",
        "kind,prose\n" + labelled_lines("{label},{text}", PAIRS[:6]),
        {},
        ("line 1 looks like a header",),
    ),
    "numbers below a header": (
        "data.csv",
        "aa,bb\n" + labelled_lines("{label},{text}", [("1", "a b"), ("2", "c d"), ("3", "e")]),
        {},
        ("header=false",),
    ),
    "swapped": (
        "data.csv",
        labelled_lines("{text},{label}"),
        {},
        ("swapped", "label_column=2 text_column=1"),
    ),
    "names in the wrong order": (
        "data.csv",
        "label,text\n" + labelled_lines("{text},{label}"),
        {},
        ("swapped", "label_column=text"),
    ),
    "two delimiters in every row": (
        "data.csv",
        labelled_lines("{label}|\t{text}"),
        {},
        (
            "two ways",
            "tabs between cells, the first label is 'billing|'",
            "'|' between cells",
            "Set delimiter",
        ),
    ),
    "two labels in every row": (
        "data.csv",
        labelled_lines("{label}|other,{text}"),
        {},
        (
            "',' between cells, the first label is 'billing|other'",
            "the first label is 'billing'",
            "Set delimiter",
        ),
    ),
    "four columns": (
        "data.csv",
        labelled_lines("7,{label},{text},x"),
        {},
        ("4 columns", "label_column=2 text_column=3"),
    ),
    "a wrong name": (
        "data.csv",
        "label,text\n" + labelled_lines("{label},{text}"),
        {"text_column": "txet"},
        ("'txet'", "text_column=text"),
    ),
    "a wrong number": (
        "data.csv",
        labelled_lines("{label},{text}"),
        {"label_column": "3"},
        ("'3'", "2 columns, without names"),
    ),
    "a name without a header": (
        "data.csv",
        labelled_lines("{label},{text}"),
        {"label_column": "kind", "header": "false"},
        ("'kind'",),
    ),
    "one column for two roles": (
        "data.csv",
        "label,text\n",
        {"label_column": "text", "text_column": "text"},
        ("two roles",),
    ),
    "two text columns": (
        "data.csv",
        "label,review,comment\n" + labelled_lines("{label},{text},x"),
        {},
        ("2 columns could be the text", "text_column"),
    ),
    "joined files": (
        "data.csv",
        ("label,text\n" + labelled_lines("{label},{text}")) * 2,
        {},
        ("line 62", "repeats the header"),
    ),
    "wide multi-label": (
        "data.csv",
        "text,toxic,spam\n" + labelled_lines("{text},{label}", [("0,1", "a b"), ("1,0", "b c")]),
        {},
        ("multi-label", "label_columns=toxic,spam", "label_column"),
    ),
    "several labels where one is told": (
        "data.txt",
        labelled_lines("__label__a __label__b {text}"),
        {"task": "single"},
        ("2 labels", "task=single", "task=multi"),
    ),
    "a column-oriented JSON object": (
        "data.json",
        '{\n "label": {"0": "a"}\n}',
        {},
        ("one JSON object over several lines", 'orient="records"'),
    ),
    "Windows-1252": ("data.csv", "label,text\n1,Grö\n".encode("cp1252"), {}, ("line 2", "encoding=cp1252")),
    "a wrong encoding": (
        "data.csv",
        "label,text\n1,Grö\n".encode(),
        {"encoding": "ascii"},
        ("line 2", "ascii"),
    ),
    "UTF-16 without a mark": ("data.csv", "label,text\n".encode("utf-16-le"), {}, ("encoding=utf-16-le",)),
    "Excel": ("data.csv", b"PK\x03\x04....", {}, ("Excel", "CSV UTF-8")),
    "a web page": ("data.csv", "\n<!doctype html><html>", {}, ("HTML",)),
    "a pointer": (
        "data.csv",
        "version https://git-lfs.github.com/spec/v1\n",
        {},
        ("Git LFS", "git lfs pull"),
    ),
    "half a gzip": (
        "data.csv.gz",
        gzip.compress(JSON_LINES.encode(), mtime=0)[:-50],
        {},
        ("gzip, but damaged or cut off",),
    ),
    "another Parquet": ("data.parquet", "label,text\n", {}, ("not Parquet",)),
    "two labelling jobs": (
        "m.manifest",
        json.dumps({"source": "a", **JOB, "b": 1, "b-metadata": {"class-name": "c"}}),
        {},
        ("2 labelling jobs", "label_column=b"),
    ),
    "a job of several labels where one is told": (
        "m.jsonl",
        json.dumps({"source": "a", "b": [1, 2], "b-metadata": {"class-map": {"1": "c", "2": "d"}}}),
        {"task": "single"},
        ("2 labels", "task=multi"),
    ),
    "a number that no class has": (
        "m.jsonl",
        json.dumps({"source": "a", "b": [1, 5], "b-metadata": {"class-map": {"1": "c", "2": "d"}}}),
        {},
        ("m.jsonl line 1", "one of its labels is empty"),
    ),
    "a missing label": (
        "data.csv",
        "label,text\n" + labelled_lines("{label},{text}") + "NaN,a\nNA,b\n",
        {},
        ("line 62", "'NaN' stands for", "missing_labels=drop"),
    ),
    "an empty label": (
        "data.csv",
        "label,text\n" + labelled_lines("{label},{text}") + ",a\n",
        {},
        ("line 62", "the label is empty", "missing_labels=drop"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused(tmp_path, name):
    """The message says what was understood and which setting mends it, and quotes no text of the file."""
    file, content, settings, expected = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        DbpediaDataset(DataFiles([path], ReaderSettings(**settings)))
    assert_clear(caught.value)
    assert not [part for part in expected if part not in str(caught.value)], str(caught.value)
    assert file in str(caught.value)
    assert TEXTS[0] not in str(caught.value)


def test_own_dataset_is_not_judged(tmp_path):
    """Files are looked into before training only where builder.py still builds the Dataset that reads tables."""
    package = tmp_path / "package"
    package.mkdir()
    for name in ("builder.py", "dbpedia.py"):
        shutil.copy(PACKAGE / name, package)
    assert reads_tables(package)
    builder = (package / "builder.py").read_text("utf-8")
    (package / "builder.py").write_text(
        builder.replace("return DbpediaDataset(files)", "return Own(files)"), "utf-8"
    )
    assert not reads_tables(package)
    (package / "dbpedia.py").unlink()
    assert not reads_tables(package)
