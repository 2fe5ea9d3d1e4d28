"""Files of every form as tables: columns, header, delimiter and labels understood, or refused with what mends it."""

import gzip
import json
from pathlib import Path

import pytest

from bert_classifier.data.label_reader import Label
from bert_classifier.data.reader_settings import DEFAULTS, READER_SETTINGS, DataFiles, ReaderSettings
from bert_classifier.data.table import Row, Table, open_table
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from support.labelled_lines import NAMES, PAIRS, labelled_lines


def table_of(folder: Path, content: str | bytes, name: str = "data.csv", **settings: str) -> Table:
    """Return a file with this content, opened with these settings."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_table(path, ReaderSettings(**settings))


def pairs_of(table: Table) -> list[tuple[Label, str]]:
    """Return all labels and texts; every row must be one."""
    rows = list(table.rows())
    assert all(isinstance(row, Row) for row in rows), rows
    return [(row.label, row.text) for row in rows if isinstance(row, Row)]


JSON = [{"label": label, "text": text} for label, text in PAIRS]
JSON_LINES = "".join(json.dumps(value) + "\n" for value in JSON)
READ: dict[str, tuple[str, str | bytes, dict[str, str]]] = {
    "names in use": ("data.csv", "Intent,Utterance\n" + labelled_lines("{label},{text}"), {}),
    "text first": ("data.csv", "tweet,polarity\n" + labelled_lines("{text},{label}"), {}),
    "pandas' index": ("data.csv", ",comment,rating\n" + labelled_lines("7,{text},{label}"), {}),
    "an older name beats a newer one": (
        "data.csv",
        "rating,text,class\n" + labelled_lines("5,{text},{label}"),
        {},
    ),
    "columns told by name": (
        "data.csv",
        "aa,bb,cc\n" + labelled_lines("x,{text},{label}"),
        {"label_column": "CC", "text_column": "bb"},
    ),
    "columns told by number": (
        "data.csv",
        labelled_lines("x,{text},{label}"),
        {"label_column": "3", "text_column": "2"},
    ),
    "one column told": ("data.csv", labelled_lines("{text},{label}"), {"label_column": "2"}),
    "a header told": (
        "data.csv",
        "aa,bb\n" + labelled_lines("{label},{text}"),
        {"header": "true", "label_column": "1", "text_column": "2"},
    ),
    "no header told": ("data.csv", "Billing,Lamp\n" + labelled_lines("{label},{text}"), {"header": "false"}),
    "semicolons": ("data.csv", "label;text\n" + labelled_lines("{label};{text}, and more", PAIRS), {}),
    "tabs": ("data.csv", "label\ttext\n" + labelled_lines("{label}\t{text}, so"), {}),
    "bars": ("data.txt", "label|text\n" + labelled_lines("{label}|{text}"), {}),
    "semicolons without a header": ("data.csv", labelled_lines("{label};{text}, and more"), {}),
    "a delimiter told": ("data.csv", "label:text\n" + labelled_lines("{label}:{text}"), {"delimiter": ":"}),
    "Excel's first line": (
        "data.csv",
        "sep=;\r\nlabel;text\r\n" + labelled_lines("{label};{text}", end="\r\n"),
        {},
    ),
    "empty columns at the end": ("data.csv", "label,text,,\n" + labelled_lines("{label},{text},,"), {}),
    "empty columns without a header": ("data.csv", labelled_lines("{label},{text},,"), {}),
    "blank rows at the end": ("data.csv", "label,text\n" + labelled_lines("{label},{text}") + ",\n,\n", {}),
    "UTF-16": ("data.csv", ("label,text\n" + labelled_lines("{label},{text}")).encode("utf-16"), {}),
    "gzip": (
        "data.tsv.gz",
        gzip.compress(("label\ttext\n" + labelled_lines("{label}\t{text}")).encode()),
        {},
    ),
    "gzip by content": ("data.jsonl", gzip.compress(JSON_LINES.encode()), {}),
    "a JSON array": ("data.json", json.dumps(JSON), {}),
    "a pretty JSON array": ("data.jsonl", json.dumps(JSON, indent=2), {}),
    "JSON Lines named CSV": ("data.csv", JSON_LINES, {}),
    "JSON Lines named .json": ("data.json", JSON_LINES, {}),
    "fastText": ("data.txt", labelled_lines("__label__{label} {text}"), {}),
    "source": ("data.jsonl", JSON_LINES.replace('"text"', '"source"'), {}),
    "quotes with backslashes": (
        "data.csv",
        "label,text\n" + labelled_lines('{label},"{text}"') + 'praise,"a \\"b\\", c"\n',
        {},
    ),
    "tabs and literal quotes": (
        "data.tsv",
        "label\ttext\n" + labelled_lines("{label}\t{text}") + 'praise\t"a" b\n',
        {},
    ),
}


@pytest.mark.parametrize("name", READ)
def test_file_is_read(tmp_path, name):
    """Labels and texts come out as they are in the file, in its order."""
    file, content, settings = READ[name]
    found = pairs_of(table_of(tmp_path, content, file, **settings))
    found = [(label, text.removesuffix(", and more").removesuffix(", so")) for label, text in found]
    extra = {
        "no header told": [("Billing", "Lamp")],
        "quotes with backslashes": [("praise", 'a "b", c')],
        "tabs and literal quotes": [("praise", '"a" b')],
    }.get(name, [])
    assert found in ([*PAIRS, *extra], [*extra, *PAIRS])


JOB = {"letters": 0, "letters-metadata": {"class-name": "praise", "confidence": 0.9}}


def test_what_was_understood_is_described(tmp_path):
    """Form, columns, ignored ones, notes and rows left out are told, for the log and the reports."""
    content = gzip.compress(
        ("id;review;rating\n" + labelled_lines("7;{text};{label}") + "8; ;praise\n;;\n").encode()
    )
    table = table_of(tmp_path, content)
    pairs_of(table)
    assert table.understood == {
        "file": "data.csv", "form": "CSV", "compression": "gzip", "encoding": "UTF-8", "delimiter": ";", "header": True,
        "columns": {"label": "rating", "text": "review", "title": ""}, "title_joined": False, "ignored": ["id"],
        "notes": ["it is gzip, although its name says otherwise"], "rows": 60,
        "left_out": {"without a text": 1, "blank": 1},
    }  # fmt: skip


def test_manifest_gives_its_class_names(tmp_path):
    """Ground Truth's number of a class is replaced by its name; the job that label_column names is used."""
    other = {"other": 1, "other-metadata": {"class-name": "b"}}
    manifest = "".join(json.dumps({"source": text, **JOB, **other}) + "\n" for text in ("a", "b"))
    table = table_of(tmp_path, manifest, "output.manifest", label_column="letters")
    assert pairs_of(table) == [("praise", "a"), ("praise", "b")]
    table = table_of(tmp_path, manifest, "output.manifest", label_column="other")
    assert pairs_of(table) == [("b", "a"), ("b", "b")]


LABELS = "label,text\nNone,a\n none ,b\ncafe\u0301,c\ncaf\u00e9,d\n,e\n"


def test_labels_have_one_spelling(tmp_path):
    """Blanks around and the Unicode form do not make classes; a word for a missing value does only when told."""
    kept = list(table_of(tmp_path, LABELS, missing_labels="keep").rows())
    assert [row.label for row in kept if isinstance(row, Row)] == ["None", "none", "caf\u00e9", "caf\u00e9"]
    dropping = table_of(tmp_path, LABELS, missing_labels="drop")
    assert pairs_of(dropping) == [("caf\u00e9", "c"), ("caf\u00e9", "d")]
    assert dropping.left_out == {"without a label": 3}


def test_known_class_is_no_missing_value(tmp_path):
    """A class file that lists None makes it a class."""
    path = tmp_path / "data.csv"
    path.write_text("label,text\nNone,a\nSome,b\n", encoding="utf-8")
    files = DataFiles([path], classes=["None", "Some"])
    assert list(DbpediaDataset(files).label_names) == ["None", "Some"]


def test_titles_are_joined_when_asked(tmp_path):
    """A told title stands before the text; an untold one replaces an empty text only."""
    content = "label,title,text\n1,Lamp,It is broken.\n2,Chair,\n"
    assert [text for _, text in pairs_of(table_of(tmp_path, content))] == ["It is broken.", "Chair"]
    joined = pairs_of(table_of(tmp_path, content, title_column="title"))
    assert [text for _, text in joined] == ["Lamp It is broken.", "Chair"]


def test_many_classes_are_no_mistake(tmp_path):
    """A label column with hundreds of classes is read; one with a class per row is not."""
    many = [(f"class {i % 700}", f"text number {i} of the file") for i in range(2000)]
    assert len(pairs_of(table_of(tmp_path, "label,text\n" + labelled_lines("{label},{text}", many)))) == 2000
    alone = [(f"{i}", f"text {i}") for i in range(2000)]
    with pytest.raises(UserError, match="seems not to be the label"):
        list(table_of(tmp_path, "label,text\n" + labelled_lines("{label},{text}", alone)).rows())


def test_long_json_array_is_read_in_pieces(tmp_path):
    """Elements across the borders of chunks, of any size, come out whole."""
    values = [{"label": NAMES[i % 3], "text": "x" * (i * 397 % 5000) + ' ]},{ \\ " end'} for i in range(1500)]
    for indent in (None, 1):
        table = table_of(tmp_path, json.dumps(values, indent=indent), "data.json")
        assert pairs_of(table) == [(value["label"], value["text"]) for value in values]


def test_settings_are_those_of_a_job():
    """Reader settings and hyperparameters have the same names and defaults."""
    assert ReaderSettings.of(TrainConfig()) == DEFAULTS
    assert {name: getattr(TrainConfig(), name) for name in READER_SETTINGS} == vars(DEFAULTS)
