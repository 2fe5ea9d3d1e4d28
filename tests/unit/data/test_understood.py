"""What was understood of a channel's files: the sentences of the log, and what data_report.json holds of them."""

import gzip
import json

import pytest

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.data.understood import channel_understood, classes_line, entries_of, lines_of
from bert_classifier.dbpedia import DbpediaDataset
from support.clear_text import assert_clear_text

WORDS = "the parcel came late and nobody answered"
ROWS = [("praise" if n % 3 else "complaint", f"{WORDS} letter {n}") for n in range(30)]
CLASSES = {"complaint": 10, "praise": 20}


def lines_for(folder, files, **settings):
    """Write files by name and return the sentences about them, read with these settings."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    paths = [folder / name for name in files]
    dataset = DbpediaDataset(DataFiles(paths, ReaderSettings(**settings), root=folder))
    channel = channel_understood(dataset.understood, [], dataset.num_empty, CLASSES)
    assert json.loads(json.dumps(channel)) == channel
    for line in (*lines_of(channel), *(f"{names}: {words}" for names, words in entries_of(channel))):
        assert WORDS not in line
        assert_clear_text(line)
    return list(lines_of(channel))


def table(header, delimiter=",", row="{label}{d}{text}"):
    """Return the rows as a table."""
    lines = [header, *(row.format(label=label, text=text, d=delimiter) for label, text in ROWS)]
    return "".join(f"{line}\n" for line in lines if line)


FORMS = {
    "columns of a header": (
        {"r.csv": table("id;Sentiment;Review;created", ";", "7{d}{label}{d}{text}{d}2026")},
        {},
        "r.csv is CSV with ';' and a header, in UTF-8: the label is 'Sentiment', the text 'Review'; not used: 'id',"
        " 'created'. 30 rows",
    ),
    "no header": (
        {"r.csv": table("")},
        {},
        "r.csv is CSV with ',' and no header, in UTF-8: the label is column 1, the text column 2. 30 rows",
    ),
    "rows left out": (
        {"r.csv": table("label,text") + "praise,\n,some text\npraise, \n"},
        {"missing_labels": "drop"},
        "r.csv is CSV with ',' and a header, in UTF-8: the label is 'label', the text 'text'. 30 rows, 3 left out"
        " (2 without a text, 1 without a label)",
    ),
    "gzip of another name": (
        {"r.csv": gzip.compress(table("label,text").encode())},
        {},
        "r.csv is gzipped CSV with ',' and a header, in UTF-8: the label is 'label', the text 'text'. 30 rows. Note: it"
        " is gzip, although its name says otherwise",
    ),
    "title for an empty text": (
        {"r.csv": table("label,title,text", ",", "{label}{d}hello{d}{text}").encode("utf-16")},
        {},
        "r.csv is CSV with ',' and a header, in UTF-16 with byte order mark: the label is 'label', the text 'text' or,"
        " where it is empty, 'title'. 30 rows",
    ),
    "title before the text": (
        {"sub/r.tsv": table("label\ttitle\ttext", "\t", "{label}{d}hello{d}{text}")},
        {"title_column": "title"},
        "sub/r.tsv is CSV with tabs and a header, in UTF-8: the label is 'label', the text 'text' after the title"
        " 'title'. 30 rows",
    ),
    "JSON Lines": (
        {"r.jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for label, text in ROWS)},
        {},
        "r.jsonl is JSON Lines in UTF-8: the label is 'label', the text 'text'. 30 rows",
    ),
    "JSON array": (
        {
            "r.json": gzip.compress(
                json.dumps([{"text": text, "label": label} for label, text in ROWS]).encode()
            )
        },
        {},
        "r.json is a gzipped JSON array in UTF-8: the label is 'label', the text 'text'. 30 rows. Note: it is gzip,"
        " although its name says otherwise",
    ),
    "fastText": (
        {"r.txt": table("", " ", "__label__{label}{d}{text}")},
        {},
        "r.txt is fastText in UTF-8. 30 rows",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_file_is_described_in_a_sentence(tmp_path, name):
    """File, form, delimiter, encoding, columns and rows, then the classes; never a text."""
    files, settings, expected = FORMS[name]
    assert lines_for(tmp_path, files, **settings) == [
        expected,
        "30 texts of 2 classes: 'complaint' 10, 'praise' 20",
    ]


def test_files_alike_are_summed_up(tmp_path):
    """Ten of many part files are named, the others are counted; a file of another form is described itself."""
    files = {f"year/part-{n:03}.csv": table("label,text") + ("praise,\n" if n % 2 else "") for n in range(25)}
    files["z.csv"] = table("label;text", ";")
    lines = lines_for(tmp_path, files)
    assert lines[0].startswith("year/part-000.csv is CSV with ',' and a header")
    assert lines[1] == "year/part-001.csv likewise: 30 rows, 1 without a text left out"
    assert lines[9].startswith("year/part-009.csv likewise: ")
    assert lines[10] == "… and 15 more likewise; in all 750 rows, 12 without a text left out"
    assert lines[11].startswith("z.csv is CSV with ';' and a header")
    assert len(lines) == 13


def test_report_names_three_files_of_many(tmp_path):
    """One entry for files that were understood alike."""
    (tmp_path / "a.csv").write_text(table("label,text"))
    (understood,) = DbpediaDataset([tmp_path / "a.csv"]).understood
    channel = channel_understood([{**understood, "file": f"{n}.csv"} for n in range(7)], [], 0, CLASSES)
    ((names, sentence),) = entries_of(channel)
    assert names == "0.csv, 1.csv, 2.csv and 4 more"
    assert sentence.startswith("CSV with ',' and a header, in UTF-8: ")
    assert sentence.endswith(" 210 rows.")


def test_very_many_kinds_of_files_are_cut(tmp_path):
    """Of a thousand files that all differ, ten are described."""
    (tmp_path / "a.csv").write_text(table("label,text"))
    (understood,) = DbpediaDataset([tmp_path / "a.csv"]).understood
    several = [{**understood, "file": f"{n}.csv", "ignored": [str(n)]} for n in range(1000)]
    channel = channel_understood(several, [], 0, CLASSES)
    lines = list(lines_of(channel))
    assert len(lines) == 12
    assert lines[10] == "… and 990 more files, understood in 990 other ways"
    assert list(entries_of(channel))[-1] == ("…", "And 990 more files, understood in 990 other ways.")


@pytest.mark.parametrize("understood", [(), ["a.csv"], [{"file": "a.csv"}]])
def test_own_dataset_shows_what_is_known(understood):
    """A Dataset that does not say how it reads its files, or something else: names, rows and classes."""
    names = [f"{n}.txt" for n in range(12)]
    channel = channel_understood(understood, names, 2, CLASSES)
    assert list(lines_of(channel)) == [
        "0.txt, 1.txt, 2.txt and 9 more: 30 rows, 2 without a text left out",
        "30 texts of 2 classes: 'complaint' 10, 'praise' 20",
    ]


def test_of_many_classes_the_largest_are_named():
    """Ten classes are enough; their order is that of their sizes."""
    channel = channel_understood((), ["a.txt"], 0, {f"class {n}": n for n in range(1, 2001)})
    line = classes_line(channel)
    assert line.startswith(
        "2,001,000 texts of 2,000 classes, the largest: 'class 2000' 2,000, 'class 1999' 1,999, "
    )
    assert line.endswith("'class 1991' 1,991 and 1,990 more")
    assert_clear_text(line)
