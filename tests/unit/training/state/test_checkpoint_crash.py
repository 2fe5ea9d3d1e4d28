"""A save that is killed at any system call, or that the disk refuses at any byte, costs at most itself."""

import os
import resource
import signal
from pathlib import Path

import pytest

from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.store import KEEP, CheckpointStore
from support.doomed import die_at, in_child
from support.toy_checkpoint import FINGERPRINT, assert_same, make_checkpoint


def test_a_kill_at_every_file_operation_of_a_save_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Killed before each operation in turn, rename and deletion included, the next start finds one of the two."""
    new = make_checkpoint(KEEP + 1)
    killed = 0
    while True:
        folder = tmp_path / str(killed)
        folder.mkdir()
        store = CheckpointStore(folder, FINGERPRINT)
        for step in range(1, KEEP + 1):
            store.save(make_checkpoint(step))
        status = in_child(die_at(killed, lambda: store.save(new)))  # noqa: B023 - runs before the next round
        store.remove_leftovers()
        found = store.load_newest()
        assert found is not None
        assert_same(found, make_checkpoint(found.step))
        assert found.step in (KEEP, KEEP + 1)
        assert len(list(folder.iterdir())) >= KEEP
        if os.waitstatus_to_exitcode(status) == 0:
            assert found.step == KEEP + 1
            break
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        killed += 1
    assert killed >= 7  # open, fchmod, fsync, rename, and the folder's open, fsync, close at least


@pytest.mark.parametrize("share", [0.0, 0.01, *(n / 25 for n in range(1, 25)), 0.999])
def test_a_disk_that_is_full_at_any_byte_leaves_what_was_there(tmp_path: Path, share: float) -> None:
    """The save raises, nothing half written stays under any name, and the earlier checkpoint is loaded."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    earlier = store.save(make_checkpoint(1))
    limit = int(earlier.stat().st_size * share)

    def save_on_full_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(OSError, match="File too large"):
            store.save(make_checkpoint(2))

    assert os.waitstatus_to_exitcode(in_child(save_on_full_disk)) == 0
    assert list(tmp_path.iterdir()) == [earlier]
    loaded: Checkpoint | None = store.load_newest()
    assert_same(loaded, make_checkpoint(1))
