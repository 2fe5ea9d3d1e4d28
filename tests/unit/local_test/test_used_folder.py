"""What a later lay-out does with a folder: what an earlier one has laid out is replaced, the user's own stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import channel_folder
from support.lay_out import CSV, Make, names, run
from support.source_tree import ROOT


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
