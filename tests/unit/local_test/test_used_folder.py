"""What a later lay-out does with a folder: what an earlier one has laid out is replaced, the user's own stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import channel_folder
from support.fakes import make_bare_checkpoint
from support.lay_out import CSV, Make, names, run
from support.source_tree import ROOT
from support.without_privileges import without_privileges


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


def test_what_an_earlier_version_laid_out_is_replaced_unless_it_was_changed(
    tmp_path: Path, make: Make
) -> None:
    """It renamed files to train.csv and kept no record: the same content is no loss, and nobody knows about another."""
    run(tmp_path / "ml", "--train", make("train.csv"))
    channel = tmp_path / "ml" / "input" / "data" / "train"
    (channel / channel_folder.RECORD).unlink()
    assert run(tmp_path / "ml", "--train", make("b.csv", f"{CSV}b,three\n")) == 2
    assert (channel / "train.csv").read_text() == CSV
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 0
    assert names(tmp_path / "ml") == ["b.csv"]


def test_a_file_of_the_same_content_is_in_nobodys_way(tmp_path: Path, make: Make) -> None:
    """The same encoder again in a folder without a record, a copy that was only touched, and one made by hand."""
    encoder = make_bare_checkpoint(tmp_path / "encoder")
    line = ("--train", make("a.csv"), "--model", encoder)
    run(tmp_path / "ml", *line)
    data = tmp_path / "ml" / "input" / "data"
    (data / "model" / channel_folder.RECORD).unlink()
    assert run(tmp_path / "ml", *line) == 0
    (data / "train" / "a.csv").touch()
    (data / "model" / "config.json").touch()
    assert run(tmp_path / "ml", "--train", make("b.csv", f"{CSV}b,three\n"), "--model", encoder) == 0
    assert names(tmp_path / "ml") == ["b.csv"]


def test_a_copy_of_itself_is_no_other_copy(tmp_path: Path, make: Make) -> None:
    """TRAIN may name a file of the channel; what is changed there later is kept."""
    own = make("ml/input/data/train/mine.csv")
    assert run(tmp_path / "ml", "--train", own) == 0
    own.write_text(f"{CSV}b,three\n")
    (own.parent / "linked").symlink_to(tmp_path)
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 2
    assert own.read_text() == f"{CSV}b,three\n"
    own.write_text(CSV)
    assert run(tmp_path / "ml", "--train", own) == 2
    assert (own.parent / "linked").is_symlink()


def test_settings_of_before_are_named(tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that failed by one is started again without HP; with new data they stand beside the channels."""
    settings = "delimiter=',' text_column='the text'"
    run(tmp_path / "ml", "--train", make("a.csv"), "--hyperparameters", settings)
    said = capsys.readouterr().out
    assert said == f"hyperparameters: {settings}\n"
    for given in (("--train", make("a.csv")), ()):
        assert run(tmp_path / "ml", *given) == 0
        said = capsys.readouterr().out
        assert said == f'settings of the folder: {settings} (HP="delimiter=" removes one)\n'
    assert run(tmp_path / "ml", "--train", make("b.csv", f"{CSV}b,three\n")) == 0
    assert "from before: delimiter=',', text_column='the text' (remove" in capsys.readouterr().out
    assert run(tmp_path / "ml", "--hyperparameters", "delimiter= text_column=") == 0
    assert "settings of the folder" not in capsys.readouterr().out


def test_what_the_system_refuses_has_a_remedy(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that may not be read, and a folder that may not be written."""
    secret = make("secret.csv")
    secret.chmod(0)
    make("locked/a.csv").parent.chmod(0o555)
    given = {tmp_path / "ml": secret, tmp_path / "locked" / "ml": make("a.csv")}
    for folder, train in given.items():
        with without_privileges():
            assert run(folder, "--train", train) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"Cannot lay out {folder}: ")
        assert ": Permission denied. Give yourself permission to read" in error
        assert error.count("\n") == 1


def test_a_train_csv_put_there_by_hand_is_kept(tmp_path: Path, make: Make) -> None:
    """Nothing declares the channel of a folder that a user has made."""
    own = make("ml/input/data/train/train.csv", "a,mine\nb,too\n")
    assert run(tmp_path / "ml", "--train", make("b.csv")) == 2
    assert own.read_text() == "a,mine\nb,too\n"


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
    make_bare_checkpoint(tmp_path / "encoder")
    run(tmp_path / "ml", "--train", make("a.csv"))
    assert run(tmp_path / "ml", "--default-model", tmp_path / "encoder") == 0
    assert run(tmp_path / "ml", "--train", make("b.csv", f"{CSV}a,three\n")) == 0
    assert "from before" not in capsys.readouterr().out
    assert run(tmp_path / "ml", "--hyperparameters", "model_name=bert-large-uncased") == 0
    assert not (tmp_path / "ml" / "input" / "data" / "model").exists()
