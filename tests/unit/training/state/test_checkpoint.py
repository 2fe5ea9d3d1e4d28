"""One file a checkpoint: whole or not used, the right run's, and never all of them gone."""

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bert_classifier.errors import UserError
from bert_classifier.training.state import checkpoint as module
from bert_classifier.training.state.store import KEEP, CheckpointStore
from support.toy_checkpoint import FINGERPRINT, assert_same, make_checkpoint


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """State and tensors come back bit for bit, and any safetensors reader opens the file."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    path = store.save(make_checkpoint(3))
    assert_same(store.load_newest(), make_checkpoint(3))
    assert torch.equal(load_file(path)["model.weight"], make_checkpoint(3).tensors["model.weight"])
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_newest_by_step_is_loaded(tmp_path: Path) -> None:
    """Steps decide, not times: those are lost on the way through S3."""
    import os

    store = CheckpointStore(tmp_path, FINGERPRINT)
    for step in (9, 100, 20):
        os.utime(store.save(make_checkpoint(step)), (1e9 - step, 1e9 - step))
    assert_same(store.load_newest(), make_checkpoint(100))


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    """A first start finds nothing."""
    assert CheckpointStore(tmp_path, FINGERPRINT).load_newest() is None


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """A thousand random bits, one at a time: the damaged file is passed over for the one before."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    store.save(make_checkpoint(1))
    path = store.save(make_checkpoint(2))
    sound = path.read_bytes()
    rng = random.Random(0)
    for _ in range(1000):
        bit = rng.randrange(len(sound) * 8)
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert_same(store.load_newest(), make_checkpoint(1))
    path.write_bytes(sound)
    assert_same(store.load_newest(), make_checkpoint(2))


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 39, 40, 41, 200, -65, -64, -33, -32, -31, -8, -1])
def test_every_truncation_is_noticed(tmp_path: Path, kept: int) -> None:
    """However much of the end is missing, the one before is used."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    store.save(make_checkpoint(1))
    path = store.save(make_checkpoint(2))
    path.write_bytes(path.read_bytes()[:kept])
    assert_same(store.load_newest(), make_checkpoint(1))


@pytest.mark.parametrize(
    "damage", ["zero page", "appended", "another step's content", "folder", "link", "unreadable"]
)
def test_other_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    """Whatever stands under the newest name, the one before is used."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    first, path = store.save(make_checkpoint(1)), store.save(make_checkpoint(2))
    sound = path.read_bytes()
    if damage == "zero page":
        path.write_bytes(sound[:400] + bytes(64) + sound[464:])
    elif damage == "appended":
        path.write_bytes(sound + b"\0")
    elif damage == "another step's content":
        path.write_bytes(first.read_bytes())
    else:
        path.unlink()
        path.mkdir() if damage == "folder" else path.symlink_to(path if damage == "unreadable" else first)
    assert_same(store.load_newest(), make_checkpoint(1))


@pytest.mark.parametrize("field", FINGERPRINT)
def test_another_runs_checkpoint_is_left_alone_and_the_difference_is_named(
    tmp_path: Path, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that differs in one field starts afresh, logs which field, and neither loads nor deletes the other's."""
    theirs = CheckpointStore(tmp_path, FINGERPRINT)
    foreign = [theirs.save(make_checkpoint(step)) for step in (5, 6, 7)]
    ours = CheckpointStore(tmp_path, {**FINGERPRINT, field: "other"})
    assert ours.load_newest() is None
    assert f"differs in: {field}" in caplog.text
    for step in range(1, 2 * KEEP):
        ours.save(make_checkpoint(step))
    assert all(path.exists() for path in foreign)
    assert_same(theirs.load_newest(), make_checkpoint(7))


def test_a_later_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of a newer program is not guessed at: both versions are named."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    monkeypatch.setattr(module, "FORMAT", 2)
    store.save(make_checkpoint(1))
    monkeypatch.setattr(module, "FORMAT", 1)
    with pytest.raises(UserError, match="is of format 2, this program reads up to 1"):
        store.load_newest()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    """Without upload markers, KEEP files remain."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    for step in range(1, 3 * KEEP):
        store.save(make_checkpoint(step))
    kept = sorted(int(path.stem.split("-")[2]) for path in tmp_path.iterdir())
    assert kept == list(range(2 * KEEP, 3 * KEEP))


def test_nothing_is_deleted_before_a_newer_one_is_in_s3(tmp_path: Path) -> None:
    """Where uploads are marked, an old checkpoint goes only once a newer one has arrived."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    paths = [store.save(make_checkpoint(1))]
    paths[0].with_name(paths[0].name + ".sagemaker-uploaded").touch()
    for step in range(2, 8):
        path = store.save(make_checkpoint(step))
        path.with_name(path.name + ".sagemaker-uploading").touch()
        paths.append(path)
    assert all(path.exists() for path in paths)
    arrived = paths[4]
    arrived.with_name(arrived.name + ".sagemaker-uploaded").touch()
    store.save(make_checkpoint(8))
    assert not any(path.exists() for path in paths[:4])
    assert all(path.exists() for path in paths[5:])


def test_leftovers_of_an_interrupted_save_go_at_the_next_start(tmp_path: Path) -> None:
    """Half-written files have a name of their own and are removed; foreign files stay."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    half = tmp_path / "checkpoint-000000000000-000000001.safetensors.sagemaker-ignore"
    half.write_bytes(b"half")
    other = tmp_path / "notes.sagemaker-ignore"
    other.write_bytes(b"theirs")
    store.remove_leftovers()
    assert not half.exists()
    assert other.exists()


def test_a_loaded_checkpoint_holds_no_room_on_the_disk(tmp_path: Path) -> None:
    """Once it is deleted, nothing keeps its bytes: a small volume has to take the next one."""
    store = CheckpointStore(tmp_path, FINGERPRINT)
    path = store.save(make_checkpoint(7))
    loaded = store.load_newest()
    assert_same(loaded, make_checkpoint(7))
    assert str(path) not in Path("/proc/self/maps").read_text()
