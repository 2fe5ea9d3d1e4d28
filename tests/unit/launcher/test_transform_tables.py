"""Tables given to a batch transform: rows as they are beside their columns where lines are rows, or JSON Lines."""

import csv
import gzip
import io

import duckdb
import pytest

from bert_classifier.job.findings import Severity
from support.transform_texts import look, texts_in, uploaded, write, wrong_in

ROWS = [("LOC" if i % 2 else "PER", f"a text about place {i}, and more of it") for i in range(12)]


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        ("label,text\n7,one\n3,two\n", "label,text", "7,one\n3,two\n"),
        ("\ufefftext,label\r\n\"one, 'a'\",7\r\nx,3\r\n", "text,label", "\"one, 'a'\",7\r\nx,3\r\n"),
        ('\n"Review Text",Rating\nfine,5', '"Review Text",Rating', "fine,5"),
        (",label,text\n0,7,one\n1,3,two\n", ",label,text", "0,7,one\n1,3,two\n"),
        ("text\nfine\nso, so\n", "text", "fine\nso, so\n"),
        ("Film,one\nFilm,two\nNo,three\nNo,four\n", "label,text", "Film,one\nFilm,two\nNo,three\nNo,four\n"),
        ('1,"a title","an abstract, quoted"\n', "label,title,text", '1,"a title","an abstract, quoted"\n'),
    ],
)
def test_rows_of_csv_go_as_they_are_beside_their_columns(tmp_path, content, columns, rows):
    """Byte for byte without the header row, because SageMaker cuts the file anywhere, and a header has no answer."""
    found, findings = look(write(tmp_path / "a.csv", content), tmp_path / "scratch")
    assert (found.content_type, found.columns, found.is_converted) == ("text/csv", columns, False)
    assert uploaded(found) == {"a.csv": rows.encode()}
    assert not wrong_in(findings)
    assert columns in findings[0].message
    assert ("header=absent" in findings[0].remedy) == (rows == content)


@pytest.mark.parametrize("content", ["fine\nso, so\n", '"one, text"\nanother\n', "No, thanks\nNo, thanks\n"])
def test_texts_alone_go_as_they_are_without_columns(tmp_path, content):
    """A comma without quotes belongs to its text."""
    found, findings = look(write(tmp_path / "a.csv", content), tmp_path / "scratch")
    assert (found.content_type, found.columns) == ("text/csv", "")
    assert uploaded(found) == {"a.csv": content.encode()}
    assert not wrong_in(findings)


def packed(content: str) -> bytes:
    """Return text compressed by gzip."""
    return gzip.compress(content.encode())


CONVERTED: dict[str, tuple[str, str | bytes, dict[str, str], list[str | None], str]] = {
    "semicolons": (
        "reviews.csv", "review;stars\none;5\n;4\ntwo, too;5\n", {}, ["one", "", "two, too"],
        "reviews.csv: CSV with ';' between cells; text: review; label: stars, ignored; sent as JSON Lines",
    ),
    "tabs": ("a.tsv", "label\ttext\n7\tone\n3\ttwo\n", {}, ["one", "two"], "CSV with tabs between cells"),
    "gzip": ("a.csv.gz", packed("label,text\n7,one\n"), {}, ["one"], "gzipped CSV; text: text"),
    "UTF-16": ("a.csv", "label,text\n7,ünder\n".encode("utf-16"), {}, ["ünder"], "CSV in UTF-16 with byte"),
    "texts in UTF-16": ("a.csv", "so, so\nfine\n".encode("utf-16"), {}, ["so, so", "fine"], "a text per row"),
    "plain text in UTF-16": ("a.txt", "one\n\ntwo".encode("utf-16"), {}, ["one", "", "two"], "lines of text"),
    "cp1252": (
        "a.csv", "label,text\n7,ünder\n".encode("cp1252"), {"encoding": "cp1252"}, ["ünder"], "CSV in cp1252"
    ),
    "a line break": ("a.csv", 'label,text\n7,"one\ntwo"\n3,x\n', {}, ["one\ntwo", "x"], "CSV; text: text"),
    "a line break in texts alone": ("a.csv", 'x\n"one\ntwo"\n', {}, ["x", "one\ntwo"], "CSV, a text per row"),
    "line ends of old Macs": ("a.csv", "label,text\r7,one\r3,two\r", {}, ["one", "two"], "CSV; text: text"),
    "a repeated header": ("a.csv", "label,text\n7,one\nLabel,Text\n3,x\n", {}, ["one", None, "x"], "CSV; text: text"),
    "commas in a single column": ("a.csv.gz", packed("text\nso, so\nx\n"), {}, ["so, so", "x"], "gzipped CSV; text"),
    "a column told": (
        "a.csv", "kind,prose\n7,one\n", {"text_column": "prose"}, ["one"], "CSV; text: prose; sent as"
    ),
    "a title": ("a.csv", "title;text\nA;\n;x\n", {}, ["A", "x"], "title: title, where the text is empty"),
    "a title told": (
        "a.csv", "title,text\nA,x\n,y\n", {"title_column": "title"}, ["A x", "y"], "title: title, before the text"
    ),
    "a JSON array": ("a.json", '[{"text": "one", "label": 3}, {"label": 1}]', {}, ["one", None], "JSON array"),
    "fastText": ("a.txt", "__label__A one\n__label__B two\n", {}, ["one", "two"], "fastText"),
    "fastText with other labels": (
        "a.txt", "__label__A __label__B one\n\n__label__C two\nthree\n", {}, ["one", "", "two", None], "fastText"
    ),
    "gzipped JSON Lines": ("a.jsonl.gz", packed('{"prose": "x", "text": "one"}\n'), {}, ["one"], "gzipped JSON"),
    "a manifest": (
        "a.manifest", '{"source": "one", "j": 0, "j-metadata": {"class-name": "A"}}\n', {}, ["one"], "text: source"
    ),
    "empty cells": ("a.csv", "text;label\n;\n;3\n", {}, ["", ""], "CSV with ';' between cells"),
}  # fmt: skip


@pytest.mark.parametrize("key", CONVERTED)
def test_what_the_server_would_not_read_becomes_json_lines(tmp_path, key):
    """A line per row, in order, also for rows without a text; what was understood is said."""
    name, content, settings, texts, said = CONVERTED[key]
    found, findings = look(write(tmp_path / name, content), tmp_path / "scratch", **settings)
    assert texts_in(found) == texts
    assert found.is_converted
    assert found.columns == ""
    assert said in findings[0].message
    assert findings[0].message.endswith("; sent as JSON Lines")
    doubts = wrong_in(findings)
    assert len(doubts) == len({"", None} & {*texts})
    assert all(", each answered with an error: line" in doubt.message for doubt in doubts)


def test_a_row_that_cannot_be_read_is_told_apart_from_one_without_a_text(tmp_path):
    """With its line and cause; its answer does not say that the text is empty."""
    path = write(tmp_path / "a.csv", "label;text\n1;a\n1;b;c\n1;\n2;d;e\n")
    found, findings = look(path, tmp_path / "scratch")
    assert uploaded(found)["a.jsonl"].splitlines() == [b'{"text": "a"}', b"null", b'{"text": ""}', b"null"]
    unread, empty = [doubt.message for doubt in wrong_in(findings)]
    assert unread.startswith(
        "a.csv has 2 rows of 4 that cannot be read, each answered with an error: line 3, line 5: it"
    )
    assert (
        empty == "a.csv has 1 row of 4 without a text, each answered with an error: line 4: the text is empty"
    )


def test_a_title_before_the_text_needs_no_field_of_its_own(tmp_path):
    """A server whose model joins titles would miss the field in an object."""
    path = write(tmp_path / "a.csv", "title,text\nA,x\n")
    found, _ = look(path, tmp_path / "scratch", title_column="title")
    assert uploaded(found) == {"a.jsonl": b'"A x"\n'}


def test_parquet_becomes_json_lines(tmp_path):
    """Row by row, whatever else it holds."""
    path = tmp_path / "a.parquet"
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (label VARCHAR, day DATE, text VARCHAR)")
    connection.executemany("INSERT INTO t VALUES (?, '2026-01-31', ?)", [*ROWS, ("LOC", None)])
    connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    found, _ = look(path, tmp_path / "scratch")
    assert texts_in(found) == [*(text for _, text in ROWS), ""]
    assert list(uploaded(found)) == ["a.jsonl"]


@pytest.mark.parametrize("index", [False, True])
def test_what_pandas_writes_goes_as_it_is(tmp_path, index):
    """With its index, too: a row per line, which the same pandas reads back beside the columns."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["label", "text"])
    frame.to_csv(tmp_path / "a.csv", index=index)
    found, findings = look(tmp_path / "a.csv", tmp_path / "scratch")
    assert not wrong_in(findings)
    read = pandas.read_csv(io.BytesIO(uploaded(found)["a.csv"]), names=next(csv.reader([found.columns])))
    assert read[["label", "text"]].equals(frame)


def test_files_of_several_forms_in_a_folder_all_become_json_lines(tmp_path):
    """Under names of their own; what training would pass over is named."""
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.csv", "label,text\n7,one\n")
    write(folder / "a.jsonl", '{"text": "two"}\n')
    write(folder / "b.csv", "text\nthree\n")
    write(folder / "notes.txt", "nothing\n")
    found, findings = look(folder, tmp_path / "scratch")
    assert {name: body.decode() for name, body in uploaded(found).items()} == {
        "a.csv.jsonl": '{"text": "one"}\n',
        "a.jsonl": '{"text": "two"}\n',
        "b.jsonl": '{"text": "three"}\n',
    }
    assert [doubt.message for doubt in wrong_in(findings)] == ["not classified: notes.txt"]


def test_a_request_in_json_does_not_go_with_other_files(tmp_path):
    """Whose texts become JSON Lines."""
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.json", '["one"]')
    write(folder / "b.json", '[{"text": "two"}]')
    (failure,) = wrong_in(look(folder, tmp_path / "scratch")[1])
    assert failure.severity is Severity.ERROR
    assert failure.message.startswith("a.json is a JSON document as the server takes it")


def test_files_with_the_same_columns_stay_csv(tmp_path):
    """As Spark writes parts."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        write(folder / f"{name}.csv", f"label,text\n7,{name}\n")
    found, findings = look(folder, tmp_path / "scratch")
    assert (found.columns, uploaded(found)) == ("label,text", {"a.csv": b"7,a\n", "b.csv": b"7,b\n"})
    assert findings[0].message.startswith("a.csv, b.csv: CSV; text: text")


def test_a_header_that_only_the_model_may_know_is_handed_over(tmp_path):
    """With a doubt: the server knows the training's names, and refuses to start if the text is not among them."""
    content = "kind,prose\n" + "".join(f'{label},"{text}"\n' for label, text in ROWS)
    found, findings = look(write(tmp_path / "a.csv", content), tmp_path / "scratch")
    assert (found.columns, uploaded(found)["a.csv"].decode()) == ("kind,prose", content[11:])
    (doubt,) = wrong_in(findings)
    assert doubt.severity is Severity.WARNING
    assert "TEXT_COLUMN=prose" in doubt.remedy
    assert "label_column" not in doubt.remedy


def test_columns_that_are_clear_by_the_trainings_names_only_are_a_doubt(tmp_path):
    """The server may not start with them; with TEXT_COLUMN nothing is left to it."""
    path = write(tmp_path / "a.csv", "text,question,label\none,more,7\n")
    found, findings = look(path, tmp_path / "scratch")
    assert found.columns == "text,question,label"
    (doubt,) = wrong_in(findings)
    assert doubt.severity is Severity.WARNING
    assert "names 2 columns that may be the text: 'text' and 'question'" in doubt.message
    assert "TEXT_COLUMN=" in doubt.remedy
    told, findings = look(path, tmp_path / "again", text_column="text")
    assert (texts_in(told), wrong_in(findings)) == (["one"], [])


REFUSED: dict[str, tuple[str, str | bytes, str, str]] = {
    "a workbook": ("a.csv", b"PK\x03\x04\0\0", "Excel workbook", "Save the table as CSV"),
    "an unknown header between semicolons": (
        "a.csv", "kind;prose\n" + "".join(f"{label};{text}\n" for label, text in ROWS), "known", "TEXT_COLUMN=prose"
    ),
    "columns without names": (
        "a.csv", '"1","x","LOC","one two three"\n"2","y","LOC","four"\n', "4 columns and no header", "TEXT_COLUMN="
    ),
    "another encoding": ("a.csv", b"label,text\n7,\xfcnder\n", "not UTF-8", "ENCODING=cp1252"),
    "an open quote": ("a.csv", 'x\n"one\n', "never closed", ""),
    "no row below the header": ("a.csv", "label,text\n", "no row", ""),
    "no row below the header, converted": ("a.csv", "label;text\n", "no row", ""),
    "one object for all texts": ("a.json", '{"text": ["a", "b"], "label": ["x", "y"]}', "one JSON object", "orient"),
    "a workbook by its own name": ("a.xlsx", b"PK\x03\x04\0\0", "Excel workbook", "Save the table as CSV"),
    "an unknown suffix": ("a.doc", "x", "media type of", "CONTENT_TYPE"),
}  # fmt: skip


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_not_understood_is_refused_with_what_mends_it(tmp_path, key):
    """Before anything is uploaded, by the settings of this command."""
    name, content, cause, remedy = REFUSED[key]
    _, findings = look(write(tmp_path / name, content), tmp_path / "scratch")
    (failure,) = wrong_in(findings)
    assert failure.severity is Severity.ERROR
    assert cause in failure.message
    assert remedy in failure.remedy


def test_a_request_in_json_stays_one(tmp_path):
    """Which training does not read."""
    for content in ('{"inputs": ["a", "b"]}', '["a", "b"]', '"a"', '{"inputs":\n ["a"]}'):
        path = write(tmp_path / "a.json", content)
        found, findings = look(path, tmp_path / f"scratch{len(content)}")
        assert (found.content_type, found.split_type) == ("application/json", "None")
        assert uploaded(found) == {"a.json": content.encode()}
        assert not wrong_in(findings)


def test_plain_text_with_a_tab_stays_plain_text(tmp_path):
    """Its first line looks like that of a table, but the others do not."""
    found, findings = look(write(tmp_path / "a.txt", 'one\ttwo\nthree\nso "four"\n'), tmp_path / "scratch")
    assert (found.content_type, uploaded(found)) == ("text/plain", {"a.txt": b'one\ttwo\nthree\nso "four"\n'})
    assert not wrong_in(findings)
