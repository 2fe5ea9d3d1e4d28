"""Tables given to a batch transform: every delimiter, gzip and Parquet are told, with a command that mends them."""

import gzip
import json
import subprocess
from pathlib import Path

import duckdb
import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.findings import Finding
from launcher.inputs.transform import check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import TransformSettings

ROWS = [("LOC" if i % 2 else "PER", f"a text about place {i}, and more of it") for i in range(12)]


def texts_in(path: Path) -> list[Finding]:
    """Return what is found about a file."""
    given = TransformSettings(input=str(path))
    return list(
        check_input(given, input_of(given, Location("a-bucket", "mine/"), Account(AccountSettings())))
    )


def run(remedy: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a remedy as it stands."""
    command = ["sh", "-c", remedy[remedy.index("(set -C") :]]
    return subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)


def wrong_in(path: Path) -> list[tuple[Severity, str, str]]:
    """Return what is wrong about a file."""
    found = texts_in(path)
    return [(one.severity, one.message, one.remedy) for one in found if one.severity is not Severity.OK]


@pytest.mark.parametrize("delimiter", [*";\t|~"])
def test_labels_beside_any_delimiter_are_a_doubt(tmp_path, delimiter):
    """The command writes the texts, and never over a file that is there."""
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{label}{delimiter}{text}\n" for label, text in ROWS), encoding="utf-8")
    ((severity, message, remedy),) = wrong_in(path)
    assert severity is Severity.WARNING
    assert "a.csv may be training data: 12 of 12 rows" in message
    assert run(remedy).returncode == 0
    written = tmp_path / "a.jsonl"
    assert [json.loads(line) for line in written.read_text().splitlines()] == [text for _, text in ROWS]
    written.write_text("mine")
    assert run(remedy).returncode != 0
    assert written.read_text() == "mine"


def test_a_header_that_only_the_model_knows_is_a_doubt(tmp_path):
    """Its labels are seen; without known names no command can say which column is the text."""
    path = tmp_path / "a.csv"
    path.write_text("kind;prose\n" + "".join(f"{label};{text}\n" for label, text in ROWS), encoding="utf-8")
    ((severity, message, remedy),) = wrong_in(path)
    assert severity is Severity.WARNING
    assert "may be training data" in message
    assert remedy.endswith(
        "contains such a delimiter. Give a table as JSON Lines, whose records name their fields."
    )


def write_parquet(path: Path) -> None:
    """Write the rows as Parquet."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (label VARCHAR, text VARCHAR)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
    connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def write_table(path: Path, delimiter: str = ",") -> None:
    """Write the rows with a header, packed if the name says so."""
    content = f"label{delimiter}text\n" + "".join(f'{a}{delimiter}"{b}"\n' for a, b in ROWS)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())


@pytest.mark.parametrize(("name", "what"), [("a.gz", "compressed by gzip"), ("a.parquet", "Parquet")])
def test_a_packed_table_under_another_name_is_called_what_it_is(tmp_path, name, what):
    """And not text in Latin-1; whatever the media type."""
    write_parquet(tmp_path / name) if what == "Parquet" else write_table(tmp_path / name)
    for suffix in ("csv", "txt", "jsonl"):
        path = tmp_path / f"b.{suffix}"
        path.write_bytes((tmp_path / name).read_bytes())
        ((severity, message, remedy),) = wrong_in(path)
        assert (severity, message) == (
            Severity.ERROR,
            f"{path.name} is {what}, which the server does not read",
        )
        assert (
            "Unpack it." if (suffix, what) == ("jsonl", "compressed by gzip") else "Give JSON Lines"
        ) in remedy


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv", "a.tsv.gz", "a.parquet"])
def test_a_table_of_an_unknown_suffix_becomes_json_lines(tmp_path, name):
    """With the command of the refusal, as it stands."""
    path = tmp_path / name
    write_parquet(path) if "parquet" in name else write_table(path, "\t" if "tsv" in name else ",")
    with pytest.raises(UserError, match=r"media types of a\..* are unknown") as caught:
        texts_in(path)
    assert run(caught.value.remedy).returncode == 0
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"label": a, "text": b} for a, b in ROWS]
    assert not wrong_in(tmp_path / "a.jsonl")


def test_a_workbook_and_another_encoding_are_told(tmp_path):
    """With what to do."""
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04\0\0")
    (tmp_path / "b.csv").write_text("a text\nanother\n", encoding="utf-16")
    ((_, message, _),) = wrong_in(tmp_path / "a.csv")
    assert "Excel workbook" in message
    ((_, message, remedy),) = wrong_in(tmp_path / "b.csv")
    assert "b.csv is UTF-16" in message
    assert "Save it as UTF-8" in remedy


def test_an_unknown_suffix_without_a_table_is_told_what_is_read(tmp_path):
    """Nothing to write from it."""
    (tmp_path / "a.tsv").write_text("a text\nanother\n")
    with pytest.raises(UserError, match=r"Give files of one suffix .*nor Parquet"):
        texts_in(tmp_path / "a.tsv")
