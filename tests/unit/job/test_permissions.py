"""Files and folders that the container's user may not read or write."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from bert_classifier.data.records import read_lines
from bert_classifier.errors import PlatformError
from bert_classifier.job.environment import Channel, Environment, write_failure


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
