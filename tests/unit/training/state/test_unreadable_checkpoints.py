"""Whatever bears a checkpoint's name: what cannot be read may be sound, and what explains never ends a run."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bert_classifier.errors import PlatformError
from bert_classifier.training.state.disk_space import require_checkpoint_space
from bert_classifier.training.state.store import CheckpointStore
from support.clear_text import assert_clear
from support.toy_checkpoint import FINGERPRINT, assert_same, make_checkpoint
from support.without_privileges import without_privileges

OTHERS = f"checkpoint-{'0' * 12}-000000001.safetensors"


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Return a run's checkpoints, none so far."""
    return CheckpointStore(tmp_path, FINGERPRINT)


def test_what_could_not_be_read_is_never_set_aside(tmp_path: Path, store: CheckpointStore) -> None:
    """Though damaged ones may be: one of another user is named with the remedy, and nothing is renamed."""
    unread, damaged = store.save(make_checkpoint(1)), store.save(make_checkpoint(2))
    unread.chmod(0)
    damaged.write_bytes(b"nothing")
    with without_privileges(), pytest.raises(PlatformError) as caught:
        CheckpointStore(tmp_path, FINGERPRINT).load_newest(may_be_damaged=True)
    assert_clear(caught.value)
    assert f"{unread.name} (it cannot be read: Permission denied)" in caught.value.cause
    assert "Give the container's user access" in caught.value.remedy
    assert "set_aside" not in caught.value.remedy
    assert sorted(tmp_path.iterdir()) == [unread, damaged]
    unread.chmod(0o600)
    assert_same(CheckpointStore(tmp_path, FINGERPRINT).load_newest(may_be_damaged=True), make_checkpoint(1))


def test_set_aside_twice_both_stay(tmp_path: Path) -> None:
    """The second of a name gets another one: the first may be all that is left of a week."""
    for content in (b"first", b"second", b"third"):
        store = CheckpointStore(tmp_path, FINGERPRINT)
        (tmp_path / f"checkpoint-{store._run}-000000007.safetensors").write_bytes(content)
        assert store.load_newest(may_be_damaged=True) is None
        store.set_damaged_aside()
    assert {path.name.split("checkpoint")[0]: path.read_bytes() for path in tmp_path.iterdir()} == {
        "damaged-": b"first",
        "damaged-2-": b"second",
        "damaged-3-": b"third",
    }


def test_damaged_ones_that_take_the_room_are_named(tmp_path: Path, store: CheckpointStore) -> None:
    """Those set aside before and those that would be: no other message leads to them."""
    old = tmp_path / f"damaged-{OTHERS}"
    old.write_bytes(bytes(2_400_000))
    own = tmp_path / f"checkpoint-{store._run}-000000007.safetensors"
    own.write_bytes(bytes(600_000))
    assert store.load_newest(may_be_damaged=True) is None
    assert store.damaged_sizes() == {old.name: 2_400_000, own.name: 600_000}
    assert store.sizes_kept() == []
    with pytest.raises(PlatformError) as caught:
        require_checkpoint_space(
            tmp_path, 10**15, store.sizes_kept(), store.bytes_of_others(), store.damaged_sizes()
        )
    assert_clear(caught.value)
    assert f"or remove the 3.0 MB of damaged ones ({own.name}, {old.name}) there" in caught.value.remedy
    store.save(make_checkpoint(1))
    assert list(store.damaged_sizes()) == [old.name]


def test_free_and_needed_differ_in_the_message(tmp_path: Path) -> None:
    """Half a megabyte too little is not "3 MB free, 3 MB needed"."""
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(PlatformError, match=r"has [\d,]+\.\d MB free, 4 checkpoints need [\d,]+\.\d MB"):
        require_checkpoint_space(tmp_path, free)


def dangling_link(path: Path) -> None:
    """Put a link to nothing there."""
    path.symlink_to("nowhere")


def checkpoint_with(**header: object) -> Callable[[Path], None]:
    """Return what puts a file there whose header says this of itself."""

    def put(path: Path) -> None:
        metadata = {"format": "1", "step": "1", "identity": "{}", "state": "{}", **header}
        text = json.dumps({"__metadata__": metadata}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text)

    return put


def deep_header(path: Path) -> None:
    """Put a header there that no parser follows."""
    text = b"[" * 200_000
    path.write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.mark.parametrize(
    "put",
    [
        dangling_link,
        os.mkfifo,  # to open it would wait for ever
        Path.mkdir,
        deep_header,
        checkpoint_with(identity="5"),
        checkpoint_with(identity=5),
        checkpoint_with(identity="{"),
        checkpoint_with(step="one"),
    ],
)
@pytest.mark.parametrize("is_own", [True, False])
def test_whatever_bears_the_name_the_run_begins(
    tmp_path: Path, store: CheckpointStore, put: Callable[[Path], None], is_own: bool
) -> None:
    """Another run's is ignored, this one's set aside; only the bytes of regular files are counted."""
    path = tmp_path / (f"checkpoint-{store._run}-000000001.safetensors" if is_own else OTHERS)
    put(path)
    size = path.lstat().st_size if path.is_file() else 0
    assert store.bytes_of_others() == (0 if is_own else size)
    assert store.load_newest(may_be_damaged=True) is None
    assert store.damaged_sizes() == ({path.name: size} if is_own else {})
    store.set_damaged_aside()
    assert os.path.lexists(tmp_path / f"damaged-{path.name}") == is_own
    store.save(make_checkpoint(2))
    assert_same(CheckpointStore(tmp_path, FINGERPRINT).load_newest(), make_checkpoint(2))
