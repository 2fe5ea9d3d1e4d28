"""What TRAIN= may name, and how files of it become a channel: they keep their names."""

import json
from pathlib import Path

import pytest

from bert_classifier.job.environment import Environment
from support.lay_out import CSV, Make, names, run


def test_a_file_keeps_its_name_and_another_one_replaces_it(tmp_path: Path, make: Make) -> None:
    """Messages of the training name the user's file; rows of an earlier file are never mixed with the new ones."""
    assert run(tmp_path / "ml", "--train", make("my texts.csv")) == 0
    assert names(tmp_path / "ml") == ["my texts.csv"]
    assert run(tmp_path / "ml", "--train", make("other.jsonl", '{"label": "a", "text": "b"}\n')) == 0
    assert names(tmp_path / "ml") == ["other.jsonl"]
    assert not list((tmp_path / "ml" / "input" / "data").glob(".*"))


@pytest.mark.parametrize(
    "given", ["{0}/a.csv {0}/b/c.csv", "{0}", "{0}/*.csv {0}/b", "'{0}/a.csv' '{0}/b'"]
)  # fmt: skip
def test_several_files_and_folders_become_one_channel(tmp_path: Path, make: Make, given: str) -> None:
    """Separated by blanks, with * and ?, or a folder with all below it."""
    make("mine/a.csv")
    make("mine/b/c.csv")
    assert run(tmp_path / "ml", "--train", given.format(tmp_path / "mine")) == 0
    assert sorted(Path(name).name for name in names(tmp_path / "ml")) == ["a.csv", "c.csv"]


def test_a_path_that_exists_is_never_split(tmp_path: Path, make: Make) -> None:
    """Whatever blanks and quotes it has; beside others it is quoted."""
    odd = make("it's my own data/a b.csv")
    assert run(tmp_path / "ml", "--train", odd) == 0
    assert names(tmp_path / "ml") == ["a b.csv"]
    assert run(tmp_path / "ml", "--train", f'"{odd}" {make("c.csv")}') == 0
    assert names(tmp_path / "ml") == ["a b.csv", "c.csv"]
    assert run(tmp_path / "ml", "--train", f"{odd.parent}/a*.csv") == 0
    assert names(tmp_path / "ml") == ["a b.csv"]


def test_files_of_one_name_get_that_of_their_folder(tmp_path: Path, make: Make) -> None:
    """Two exports of two years; where that does not tell them apart, they are refused."""
    old, new = make("2025/data.csv"), make("2026/data.csv")
    assert run(tmp_path / "ml", "--train", f"{old} {new}") == 0
    assert names(tmp_path / "ml") == ["2025/data.csv", "2026/data.csv"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x/d/data.csv y/d/data.csv", "Several files for train are named data.csv"),
        ("x/d/data.csv x/d", "data.csv is given twice for train"),
        ("x/d/data.csv data.tsv", "data.tsv would not be read for train beside"),
        ("x/d/data.csv none.csv", "There is no file or folder none.csv for train"),
        ("notes.txt", "does not begin with __label__"),
        ("empty.csv", "it is empty"),
        ("s3://bucket/train", "reads files of this machine. Download it (aws s3 cp --recursive s3://bucket/train"),
        ("x/d/data.csv s3://bucket/a.csv", "TRAIN=s3://bucket/a.csv is an address"),
        ("S3://bucket/train", "reads files of this machine. Download it (aws s3 cp --recursive s3://bucket/train"),
        ("/dev/null", "/dev/null cannot be train: it is a pipe or a device. Write what comes"),
        ("https://example.com/a.csv", "is an address, and a local run reads files of this machine"),
    ],
)  # fmt: skip
def test_what_cannot_be_training_data_is_refused(
    tmp_path: Path,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    message: str,
) -> None:
    """Cause and remedy in one line; nothing is made."""
    for name in ("x/d/data.csv", "y/d/data.csv", "data.tsv", "notes.txt"):
        make(name)
    make("empty.csv", "")
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path / "ml", "--train", given) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "ml").exists()


def test_a_folders_other_files_are_named(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy and a spreadsheet are not read, which is said; the list of classes comes along."""
    for name in ("d/data.csv", "d/data.csv.gz", "d/more.xlsx", "d/README.md", "d/_SUCCESS"):
        make(name)
    make("d/classes.txt", "b\na\n")
    assert run(tmp_path / "ml", "--train", tmp_path / "d") == 0
    folder = tmp_path / "d"
    assert capsys.readouterr().out == (
        f"train: 2 files of {folder}: classes.txt, data.csv\n"
        f"train: not read: {folder}/data.csv.gz, {folder}/more.xlsx\n"
    )
    assert names(tmp_path / "ml") == ["data.csv"]
    assert Environment.read(tmp_path / "ml", {}).channels["train"].find("classes.txt")


def test_links_that_are_not_followed_are_named(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a folder or to nothing; one to a file is that file. Training names what lies in its channel, too."""
    folder = make("d/data.csv").parent
    make("elsewhere/more.csv")
    for name, target in {
        "linked": "elsewhere",
        "gone.csv": "nowhere",
        "same.csv": "elsewhere/more.csv",
    }.items():
        (folder / name).symlink_to(tmp_path / target)
    assert run(tmp_path / "ml", "--train", folder) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"train: 2 files of {folder}: data.csv, same.csv\n")
    assert (
        f"links to folders and to nothing are not followed: {folder}/gone.csv, {folder}/linked\n" in printed
    )
    channel = Environment.read(tmp_path / "ml", {}).channels["train"]
    (channel.path / "linked").symlink_to(tmp_path / "elsewhere")
    assert channel.passed_over(channel.files(), "classes.txt") == ["linked (a link)"]
    assert run(tmp_path / "other", "--train", folder / "linked") == 0
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "linked").symlink_to(folder)
    assert run(tmp_path / "third", "--train", tmp_path / "only") == 2
    assert "it holds linked (a link)" in capsys.readouterr().err


def test_the_original_may_change_while_a_job_runs(tmp_path: Path, make: Make) -> None:
    """The channel holds a copy and no link; the same files again are not copied again."""
    source = make("a.csv")
    run(tmp_path / "ml", "--train", source)
    copy = tmp_path / "ml" / "input" / "data" / "train" / "a.csv"
    before = copy.stat()
    run(tmp_path / "ml", "--train", source)
    assert copy.stat() == before
    with source.open("a") as file:
        file.write("a,three\n")
    assert copy.read_text() == CSV


def test_a_file_is_no_folder_to_lay_out(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """TEST_DIR and TRAIN taken for one another."""
    assert run(make("a.csv"), "--train", make("b.csv")) == 2
    assert "a.csv is a file. Name a folder." in capsys.readouterr().err


def test_hyperparameters_may_hold_anything(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blanks, quotes and semicolons, quoted as in a shell; they are shown so that they can be typed again."""
    line = """class_file='the "class" file;$HOME.txt' seed=1"""
    assert run(tmp_path / "ml", "--train", make("a.csv"), "--hyperparameters", line) == 0
    written = json.loads((tmp_path / "ml" / "input" / "config" / "hyperparameters.json").read_text())
    assert written == {"class_file": 'the "class" file;$HOME.txt', "seed": "1"}
    assert f"hyperparameters: {line}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CSV, "its first line is the header of a table"),
        ('{"label": "a", "text": "b"}\n', "its first line is one of labelled data"),
        ("__label__a one\n", "its first line is one of labelled data"),
        ("a,one of the texts, with more words in it\n" * 9, "its lines are rows of a table"),
        ("a\n" + "word " * 60, "line 2 has 299 characters"),
        ("PAR1....", "it is Parquet"),
    ],
)  # fmt: skip
def test_data_are_no_list_of_classes(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    """CLASSES=train.csv would make a class of each row."""
    given = make("names", content)
    assert run(tmp_path / "ml", "--train", make("a.csv"), "--classes", given) == 2
    assert f"{given} is no list of classes: {reason}" in capsys.readouterr().err
    assert not (tmp_path / "ml").exists()


def test_names_with_commas_are_a_list_of_classes(tmp_path: Path, make: Make) -> None:
    """Short lines whose beginnings repeat; the class file gets the name that the job looks for."""
    given = make("my names", "Body, health\nBody, mind\nPolitics, home\nPolitics, abroad\n")
    line = ("--train", make("a.csv"), "--classes", given, "--hyperparameters", "classfile=own.txt")
    assert run(tmp_path / "ml", *line) == 0
    assert (tmp_path / "ml" / "input" / "data" / "class" / "own.txt").read_text() == given.read_text()
