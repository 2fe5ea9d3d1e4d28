"""What TRAIN= may name, and what a second lay-out replaces: files keep their names, and the user's own stay."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import channel_folder
import prepare_test_dir
from bert_classifier.job.environment import Environment
from support.source_tree import ROOT

CSV = "label,text\na,one\nb,two\n"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a file below the test's folder."""

    def made(name: str, content: str = CSV) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return made


def run(folder: Path, *arguments: object) -> int:
    """Lay a folder out as `make` does."""
    return prepare_test_dir.main([str(folder), *map(str, arguments)])


def names(folder: Path, channel: str = "train") -> list[str]:
    """Return the files that training reads."""
    found = Environment.read(folder, {}).channels[channel]
    return [str(path.relative_to(found.path)) for path in found.files()]


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


@pytest.mark.parametrize("change", ["beside", "inside"])
def test_files_of_the_users_own_are_never_replaced(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """Neither one put beside what was laid out, nor a laid out one that was edited."""
    run(tmp_path / "ml", "--train", make("a.csv"))
    name = {"beside": "mine.csv", "inside": "a.csv"}[change]
    own = tmp_path / "ml" / "input" / "data" / "train" / name
    own.write_text(f"{CSV}b,three\n")
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 2
    assert f"already holds {name}, put there or changed by hand" in capsys.readouterr().err
    assert own.read_text() == f"{CSV}b,three\n"


def test_what_an_earlier_version_laid_out_is_replaced(tmp_path: Path, make: Make) -> None:
    """It renamed files to train.csv, declared their channel and kept no record."""
    run(tmp_path / "ml", "--train", make("train.csv"))
    channel = tmp_path / "ml" / "input" / "data" / "train"
    (channel / channel_folder.RECORD).unlink()
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 0
    assert names(tmp_path / "ml") == ["b.csv"]


def test_a_train_csv_put_there_by_hand_is_kept(tmp_path: Path, make: Make) -> None:
    """Nothing declares the channel of a folder that a user has made."""
    own = make("ml/input/data/train/train.csv", "a,mine\nb,too\n")
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 2
    assert own.read_text() == "a,mine\nb,too\n"


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


def test_hidden_files_of_a_channel_stay(tmp_path: Path, make: Make) -> None:
    """They are no data; so they are not in the way, either."""
    run(tmp_path / "ml", "--train", make("a.csv"))
    hidden = make("ml/input/data/train/.mine")
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 0
    assert hidden.exists()


def test_a_killed_lay_out_leaves_whole_channels(tmp_path: Path, make: Make) -> None:
    """Killed while it copies: the former channel is whole, and the next command needs no help."""
    run(tmp_path / "ml", "--train", make("a.csv"))
    huge = make("huge.csv")
    os.truncate(huge, 4 * 1024**3)  # takes no space, and seconds to copy
    program = str(ROOT / "local_test" / "prepare_test_dir.py")
    arguments = [sys.executable, program, str(tmp_path / "ml"), "--train", str(huge)]
    copying = subprocess.Popen(arguments, env={"PYTHONPATH": str(ROOT / "container")})
    staging = tmp_path / "ml" / "input" / "data" / ".train.part"
    while not list(staging.glob("*.csv")) and copying.poll() is None:
        time.sleep(0.001)
    copying.send_signal(signal.SIGKILL)
    assert copying.wait() == -signal.SIGKILL
    assert names(tmp_path / "ml") == ["a.csv"]
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 0
    assert names(tmp_path / "ml") == ["b.csv"]
    assert not list((tmp_path / "ml" / "input" / "data").glob(".*"))


def test_a_channel_that_was_being_replaced_is_completed(tmp_path: Path, make: Make) -> None:
    """Ended between the two renames: the former channel comes back."""
    run(tmp_path / "ml", "--train", make("a.csv"))
    channel = tmp_path / "ml" / "input" / "data" / "train"
    channel.rename(channel.with_name(".train.former"))
    assert run(tmp_path / "ml") == 0
    assert names(tmp_path / "ml") == ["a.csv"]


def test_the_default_encoder_is_nothing_from_before(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that was refused has it, because make put it there: it is not warned of, and makes way for a model_name."""
    for name in ("config.json", "model.safetensors"):
        make(f"encoder/{name}", "{}")
    run(tmp_path / "ml", "--train", make("a.csv"))
    assert run(tmp_path / "ml", "--default-model", tmp_path / "encoder") == 0
    assert run(tmp_path / "ml", "--train", make("b.csv", f"{CSV}a,three\n")) == 0
    assert "from before" not in capsys.readouterr().out
    assert run(tmp_path / "ml", "--hyperparameters", "model_name=bert-large-uncased") == 0
    assert not (tmp_path / "ml" / "input" / "data" / "model").exists()


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
