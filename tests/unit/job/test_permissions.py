"""Files and folders that the container's user may not read or write."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from bert_classifier.data.records import read_lines
from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.environment import Channel, Environment, write_failure
from bert_classifier.job.given_files import given_files


@contextlib.contextmanager
def ordinary_user():
    """Give up root's right to everything for a while; a user without it stays who they are."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def root():
    """Return a tree that everybody can enter, with one CSV file in its train channel."""
    with tempfile.TemporaryDirectory() as name:
        train = Path(name, "input", "data", "train")
        train.mkdir(parents=True)
        (train / "a.csv").write_text("1,a,b\n")
        Path(name).chmod(0o755)
        yield Path(name)


def test_unreadable_folder_is_not_taken_for_an_empty_one(root):
    """A channel folder that may not be listed is named as such, with permissions to check."""
    train = root / "input" / "data" / "train"
    train.chmod(0)
    with (
        ordinary_user(),
        pytest.raises(PlatformError, match=r"Channel train cannot be read: .*train") as caught,
    ):
        Channel("train", train).files()
    assert "permissions" in caught.value.remedy


@pytest.mark.parametrize("locked", ["input/data/train", "input/data/train/more"])
def test_data_that_may_not_be_listed_are_never_left_out(root, locked):
    """A folder of another owner below the data, or the data themselves; a volume's lost+found is no data."""
    train = root / "input" / "data" / "train"
    for name in ("more", "lost+found"):
        (train / name).mkdir()
    (train / "more" / "b.csv").write_text("2,c,d\n")
    (train / "lost+found").chmod(0)
    assert len(given_files("train", [train], "classes.txt").files) == 2
    (root / locked).chmod(0)
    with ordinary_user(), pytest.raises(UserError, match=f"{locked} cannot be read: Permission denied"):
        given_files("train", [train], "classes.txt")
    with ordinary_user(), pytest.raises(PlatformError, match=f"cannot be read: .*{locked}: Permission"):
        Channel("train", train).files()


def test_unreadable_file_is_named(root):
    """A data file that may not be opened is named with the reason."""
    path = root / "input" / "data" / "train" / "a.csv"
    path.chmod(0)
    with ordinary_user(), pytest.raises(PlatformError, match=r"Cannot read .*a\.csv: Permission denied"):
        list(read_lines(path))


@pytest.mark.parametrize("exists", [True, False])
def test_read_only_output_fails_at_the_start(root, exists):
    """An output folder that may not be written is reported before any work, whether it is there or not."""
    if exists:
        (root / "model").mkdir(mode=0o555)
    environment = Environment.read(root, {})
    with ordinary_user(), pytest.raises(PlatformError, match=r"Cannot write to .*model: Permission denied"):
        environment.prepare_outputs()


def test_failure_on_a_read_only_tree_is_only_logged(root, caplog):
    """Where the reason of a failure may not be written, nothing is raised and the log says so."""
    with ordinary_user():
        write_failure(root, "UserError: first.")
    assert "Permission denied" in caplog.text
