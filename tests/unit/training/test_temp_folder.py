"""The folder of temporary files: gone with its job, whatever the end of that."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_classifier.errors import PlatformError
from bert_classifier.training.temp_folder import temp_folder
from support.clear_text import assert_clear
from support.train_process import CONTAINER

HOLDER = (
    "import sys, time\n"
    "from bert_classifier.training.temp_folder import temp_folder\n"
    "with temp_folder() as folder:\n"
    "    (folder / 'train.ids').write_bytes(b'x' * 1000)\n"
    "    print(folder, flush=True)\n"
    "    time.sleep(600)\n"
)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files go to a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def holder(parent: Path) -> "Iterator[subprocess.Popen[str]]":
    """Return another job that holds its folder."""
    environ = {"PYTHONPATH": str(CONTAINER), "TMPDIR": str(parent)}
    process = subprocess.Popen([sys.executable, "-c", HOLDER], env=environ, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_it_goes_with_the_block(parent):
    """Whether the work ends or fails, with all that is in it."""
    with temp_folder() as folder:
        (folder / "below").mkdir()
        (folder / "below" / "file").write_text("x")
        assert folder.parent == parent
    assert list(parent.iterdir()) == []
    with pytest.raises(KeyError), temp_folder() as folder:
        raise KeyError
    assert list(parent.iterdir()) == []


def test_a_killed_jobs_folder_goes_with_the_next_job(parent, holder):
    """One in use stays; once its job was killed, the next job removes it."""
    assert holder.stdout is not None
    left = Path(holder.stdout.readline().strip())
    with temp_folder():
        assert (left / "train.ids").exists()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (left / "train.ids").exists()
    with temp_folder() as folder:
        assert list(parent.iterdir()) == [folder]


def test_folders_of_others_stay(parent):
    """Without our lock in it, a folder is not ours, whatever its name."""
    other = parent / "bert-classifier-train-notes"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with temp_folder():
        pass
    assert (other / "notes.txt").read_text() == "mine"


def test_no_place_for_temporary_files_is_reported(tmp_path, monkeypatch):
    """The environment's fault, with the setting that mends it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with (
        pytest.raises(PlatformError, match=r"no folder for temporary files.* TMPDIR") as caught,
        temp_folder(),
    ):
        pytest.fail("begun")
    assert_clear(caught.value)
