"""The look at the first rows of local data files, before anything is uploaded: the job's own reader."""

import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bert_classifier.data import job_files
from bert_classifier.data.table import open_table
from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.findings import Finding, refuse_failures, say_doubts
from launcher.inputs import table
from launcher.inputs.channels import LocalChannel
from launcher.inputs.table import ROWS, check_tables
from launcher.settings.training import TrainSettings
from support.patience import PATIENCE_S
from support.source_tree import PACKAGE, ROOT

OK, WARN, FAIL = Severity.OK, Severity.WARNING, Severity.ERROR
ROW = "Alpha,a text\nBeta,another\n"


def checked(folder: Path, *names: str, **hp: str) -> list[Finding]:
    """Return the findings about files that are the training data."""
    channel = LocalChannel("train", {name: folder / name for name in names})
    return list(check_tables([channel], TrainSettings(hp=tuple(hp.items()))))


@pytest.mark.parametrize(
    ("name", "content", "hp", "level", "expected"),
    [
        ("a.csv", ROW, {}, OK, "a.csv is CSV with ',' and no header, in UTF-8: the label is column 1"),
        ("a.csv", "kind;prose\n" + "a;b c d\nd;e f g\n" * 9, {}, FAIL, "a.csv: line 1 looks like a header"),
        (
            "a.csv", "kind;Some prose\n" + "a;b c\nd;e f\n" * 9, {"label_column": "kind", "text_column": "Some prose"},
            OK, "a.csv is CSV with ';' and a header, in UTF-8: the label is 'kind', the text 'Some prose'",
        ),
        ("a.csv", ROW, {"text_column": "prose"}, FAIL, "text_column"),
        ("a.csv", "label,text\n", {}, FAIL, "The train channel has no usable row: it holds a.csv."),
        ("a.csv", "label,text\na,\n,\n", {}, FAIL, "The train channel has no usable row: it holds a.csv."),
        ("a.csv", "alone\nagain\n", {}, FAIL, "a.csv has one column, read with ',' between cells."),
        ("a.csv", ROW + "c,d,e\n", {}, FAIL, "1 row of the data cannot be used: a.csv line 3: it has 3 cells"),
        ("a.csv", ROW + 'a,"b\n', {}, FAIL, "a quote opened in this row is never closed"),
        ("a.csv", "label,text\na,\xe9\n", {}, FAIL, "a.csv is not UTF-8 in line 2"),
        ("a.csv", "label,text\na,\xe9\n", {"encoding": "latin-1"}, OK, "and a header, in iso8859-1"),
        ("a.csv", "label,text\nNaN,b\na,c\n", {}, FAIL, "the label 'NaN' stands for a missing value"),
        ("a.csv", "label,text\nNaN,b\na,c\n", {"missing_labels": "drop"}, OK, "a.csv is CSV"),
        ("a.jsonl", '{"label": "a", "text": "b"}\n', {}, OK, "a.jsonl is JSON Lines in UTF-8"),
        ("a.jsonl", '{"label": \n', {}, FAIL, "a.jsonl line 1: "),
        ("a.jsonl", '["a", "b"]\n', {}, FAIL, "a.jsonl"),
        ("a.csv", ROW * ROWS + "c,d,e\n", {}, OK, "a.csv is CSV"),
    ],
)  # fmt: skip
def test_a_file_is_read_as_the_job_will_read_it(
    tmp_path: Path, name: str, content: str, hp: dict[str, str], level: Severity, expected: str
) -> None:
    """What was understood, or the job's own refusal; rows beyond the first ones are the job's."""
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    (found,) = checked(tmp_path, name, **hp)
    assert found.severity is level
    assert expected in found.message
    assert bool(found.remedy) == (level is FAIL)


def test_the_refusal_is_that_of_the_job(tmp_path: Path) -> None:
    """The same sentence, before the upload."""
    path = tmp_path / "a.csv"
    path.write_text("kind,prose\n" + "a,b c d\nd,e f g\n" * 9)
    (found,) = checked(tmp_path, "a.csv")
    with pytest.raises(UserError) as caught:
        open_table(path)
    assert (found.message, found.remedy) == (caught.value.cause, caught.value.remedy)
    with pytest.raises(UserError, match="so nothing was started"):
        refuse_failures([found])


def test_what_was_understood_is_shown_before_a_job_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that are alike in one line, by `doctor` and by `train-spot`."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(ROW)
    (tmp_path / "c.csv").write_text(ROW.replace(",", "\t"))
    say_doubts(checked(tmp_path, "a.csv", "b.csv", "c.csv"))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("OK    train  a.csv, b.csv are CSV with ','")
    assert second.startswith("OK    train  c.csv is CSV with tabs")


def test_only_the_file_that_the_job_reads_is_looked_at(tmp_path: Path) -> None:
    """train_file names it; a name that is not there would end the job."""
    (tmp_path / "a.csv").write_text(ROW)
    (tmp_path / "b.csv").write_text("odd\n")
    (found,) = checked(tmp_path, "a.csv", "b.csv", train_file="a.csv")
    assert found.severity is OK
    (found,) = checked(tmp_path, "a.csv", "b.csv", train_file="c.csv")
    assert (found.severity, found.message) == (FAIL, "it has no file c.csv: it holds a.csv, b.csv")


def test_splits_side_by_side_are_a_doubt(tmp_path: Path) -> None:
    """All files are trained on, unless train_file names one."""
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(ROW)
    names = ("train.csv", "test.csv")
    doubt, _ = checked(tmp_path, *names)
    assert doubt.severity == WARN
    assert "training on all of train.csv, test.csv" in doubt.message
    assert [found.severity for found in checked(tmp_path, *names, train_file="train.csv")] == [OK]


def test_the_class_file_says_what_is_no_missing_value(tmp_path: Path) -> None:
    """A class may be called None."""
    (tmp_path / "a.csv").write_text("label,text\nNone,b\na,c\n")
    (tmp_path / "classes.txt").write_text("a\nNone\n")
    assert [found.severity for found in checked(tmp_path, "a.csv")] == [FAIL]
    assert [found.severity for found in checked(tmp_path, "a.csv", "classes.txt")] == [OK]


def test_with_wrong_hyperparameters_nothing_is_judged(tmp_path: Path) -> None:
    """They are refused by a check of their own."""
    (tmp_path / "a.csv").write_text("odd\n")
    assert checked(tmp_path, "a.csv", text_colum="x") == []


def test_a_dataset_of_the_users_own_may_read_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the project's Dataset would refuse is a doubt then, and what it would understand is not told."""
    package = tmp_path / "package"
    package.mkdir()
    for name in ("builder.py", "dbpedia.py"):
        shutil.copy(PACKAGE / name, package)
    builder = package / "builder.py"
    builder.write_text(builder.read_text().replace("return DbpediaDataset(files)", "return MyDataset(files)"))
    monkeypatch.setattr(table, "reads_tables", lambda: job_files.reads_tables(package))
    (tmp_path / "a.csv").write_text("odd\n")
    (tmp_path / "b.csv").write_text(ROW)
    (found,) = checked(tmp_path, "a.csv", "b.csv")
    assert found.severity is WARN
    assert "Your own Dataset may read it all the same." in found.message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_two_gigabytes_are_looked_at_in_less_than_two_seconds(tmp_path: Path, pack: type[bytes]) -> None:
    """Whatever their size, of which only the head is read."""
    path = tmp_path / "a.csv"
    path.write_bytes(pack(ROW.encode() * 5000))
    os.truncate(path, 2 * 1024**3)  # takes no space
    began = time.monotonic()
    (found,) = checked(tmp_path, "a.csv")
    assert found.severity is OK
    assert time.monotonic() - began < 2


def test_neither_numpy_nor_a_readers_library_is_imported(tmp_path: Path) -> None:
    """A file of text needs none of them."""
    (tmp_path / "a.csv").write_text(ROW)
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "container")!r}, {str(ROOT / "docker")!r}]
from pathlib import Path
from launcher.inputs.channels import LocalChannel
from launcher.inputs.table import check_tables
from launcher.settings.training import TrainSettings
channel = LocalChannel("train", {{"a.csv": Path({str(tmp_path / "a.csv")!r})}})
print(*(finding.label for finding in check_tables([channel], TrainSettings())))
print(*({{"numpy", "torch", "transformers", "duckdb", "sagemaker"}} & sys.modules.keys()))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.stdout == "OK\n\n", ended.stderr
