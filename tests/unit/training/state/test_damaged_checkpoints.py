"""Checkpoints of this run that cannot be used: listed by name, and never in the way of intact ones."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.errors import PlatformError
from bert_classifier.training.state.store import KEEP, CheckpointStore
from support.clear_text import assert_clear
from support.toy_checkpoint import FINGERPRINT, assert_same, make_checkpoint

_MARK = ".sagemaker-uploaded"


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Return a run's checkpoints, none so far."""
    return CheckpointStore(tmp_path, FINGERPRINT)


def damage(path: Path) -> Path:
    """Alter one byte of a checkpoint."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def steps_in(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a folder, whoever's they are."""
    return sorted(int(path.stem.split("-")[2]) for path in folder.glob("checkpoint-*.safetensors"))


def test_when_all_are_damaged_the_run_stops_and_names_them(tmp_path: Path, store: CheckpointStore) -> None:
    """No silent start at step 0: each file is named with its reason, with the way out, and none is touched."""
    paths = [damage(store.save(make_checkpoint(step))) for step in (1, 2)]
    paths.append(tmp_path / paths[0].name.replace("000000001", "000000003"))
    paths[2].mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PlatformError) as caught:
        CheckpointStore(tmp_path, FINGERPRINT).load_newest()
    assert_clear(caught.value)
    assert all(f"{path.name} (" in caught.value.cause for path in paths)
    assert "its digest does not match" in caught.value.cause
    assert "damaged_checkpoints=set_aside" in caught.value.remedy
    assert sorted(tmp_path.iterdir()) == before


def test_damaged_ones_are_set_aside_where_that_is_asked_for(tmp_path: Path, store: CheckpointStore) -> None:
    """They get another name, the run begins anew, and from then on only its own new checkpoints are found and kept."""
    old = [damage(store.save(make_checkpoint(step))) for step in (50, 60, 70)]
    contents = [path.read_bytes() for path in old]
    (tmp_path / (old[0].name + _MARK)).touch()
    fresh = CheckpointStore(tmp_path, FINGERPRINT)
    assert fresh.load_newest(may_be_damaged=True) is None
    assert [path.read_bytes() for path in old] == contents  # not before there is room to begin anew
    fresh.set_damaged_aside()
    assert [path.with_name(f"damaged-{path.name}").read_bytes() for path in old] == contents
    assert not list(tmp_path.glob(f"*{_MARK}"))  # what gets this name next has not arrived in S3
    for step in range(1, KEEP + 3):
        assert fresh.save(make_checkpoint(step)).exists()
        next_attempt = CheckpointStore(tmp_path, FINGERPRINT)
        assert_same(next_attempt.load_newest(may_be_damaged=True), make_checkpoint(step))
        next_attempt.set_damaged_aside()
    assert len(list(tmp_path.glob("damaged-*"))) == 3


def test_sound_ones_are_resumed_though_damaged_ones_may_be_set_aside(
    tmp_path: Path, store: CheckpointStore
) -> None:
    """The setting stays with the job: a later attempt must not begin anew because of it."""
    store.save(make_checkpoint(1))
    damage(store.save(make_checkpoint(2)))
    found = CheckpointStore(tmp_path, FINGERPRINT).load_newest(may_be_damaged=True)
    assert_same(found, make_checkpoint(1))


def test_damaged_newer_ones_do_not_push_out_sound_ones(tmp_path: Path, store: CheckpointStore) -> None:
    """Gone back to step 10, the run keeps what it saves, though damaged files have higher steps."""
    store.save(make_checkpoint(10))
    for step in (20, 30):
        damage(store.save(make_checkpoint(step)))
    attempt = CheckpointStore(tmp_path, FINGERPRINT)
    assert_same(attempt.load_newest(), make_checkpoint(10))
    sound = [10]
    for step in (11, 12, 13, 14):
        assert attempt.save(make_checkpoint(step)).exists()
        sound = [*sound, step][-KEEP:]
        assert steps_in(tmp_path) == [*sound, 20, 30]
    for step in (20, 31, 32):
        attempt.save(make_checkpoint(step))
    assert steps_in(tmp_path) == [20, 31, 32]


def test_an_unread_older_one_does_not_push_out_a_sound_one(tmp_path: Path, store: CheckpointStore) -> None:
    """What this attempt has not read may be damaged: of KEEP it is the first to go, and the limit stays."""
    for step in (1, 2, 3):
        store.save(make_checkpoint(step))
    attempt = CheckpointStore(tmp_path, FINGERPRINT)
    attempt.load_newest()
    attempt.save(make_checkpoint(4))
    assert steps_in(tmp_path) == [2, 3, 4]
    attempt.save(make_checkpoint(5))
    assert steps_in(tmp_path) == [3, 4, 5]


def test_a_mark_of_an_earlier_upload_does_not_count_for_a_file_written_anew(
    tmp_path: Path, store: CheckpointStore
) -> None:
    """A step that is trained again is saved under the same name: old ones stay until that has arrived in S3."""
    for step in (10, 11, 12):
        store.save(make_checkpoint(step))
    mark = damage(store.save(make_checkpoint(20))).with_name(
        f"checkpoint-{store._run}-000000020.safetensors{_MARK}"
    )
    mark.touch()
    (tmp_path / f"{mark.name.removesuffix(_MARK)}.sagemaker-uploading").touch()
    attempt = CheckpointStore(tmp_path, FINGERPRINT)
    assert_same(attempt.load_newest(), make_checkpoint(12))
    for step in (20, 21):
        attempt.save(make_checkpoint(step))
    assert steps_in(tmp_path) == [11, 12, 20, 21]
    mark.touch()
    attempt.save(make_checkpoint(22))
    assert steps_in(tmp_path) == [20, 21, 22]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_read_is_this_runs(
    tmp_path: Path, store: CheckpointStore, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails is no other run: the file is named with what the system says."""
    path = store.save(make_checkpoint(1))
    open_of_old = Path.open

    def fail(self: Path, *arguments: Any, **named: Any) -> Any:
        if self == path:
            raise OSError(number, os.strerror(number), str(self))
        return open_of_old(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(PlatformError, match=rf"{path.name} \(it cannot be read: {os.strerror(number)}\)"):
        CheckpointStore(tmp_path, FINGERPRINT).load_newest()


def test_a_file_of_another_run_under_this_runs_name_is_not_resumed(
    tmp_path: Path, store: CheckpointStore
) -> None:
    """Renaming a checkpoint does not make it fit."""
    theirs = CheckpointStore(tmp_path, {**FINGERPRINT, "seed": 2}).save(make_checkpoint(1))
    theirs.rename(tmp_path / f"checkpoint-{store._run}-000000001.safetensors")
    with pytest.raises(PlatformError, match="it belongs to another run and was renamed"):
        store.load_newest()


@pytest.mark.parametrize(
    ("theirs", "ending"),
    [
        ({"learning_rate": 1}, "differs in: learning_rate"),
        ({"added_later": None}, "differs in: added_later"),
    ],
)
def test_the_difference_to_another_run_is_never_empty(
    tmp_path: Path, theirs: dict[str, Any], ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    """1 and 1.0, or null and nothing, are equal in Python, but make another name."""
    CheckpointStore(tmp_path, {**FINGERPRINT, "learning_rate": 1.0, **theirs}).save(make_checkpoint(1))
    assert CheckpointStore(tmp_path, {**FINGERPRINT, "learning_rate": 1.0}).load_newest() is None
    assert caplog.messages[-1].endswith(ending)


@pytest.mark.parametrize(
    ("theirs", "ours", "ending"),
    [
        (
            {"token_budget": 2048, "gradient_shards": 4, "global_batch": 8, "rows_per_micro_batch": 4},
            {"token_budget": 512, "gradient_shards": 2, "global_batch": 16, "rows_per_micro_batch": None},
            "global_batch_size, max_tokens_per_micro_batch, num_gradient_groups, per_device_batch_size",
        ),
        ({"token_budget": 16_384}, {"token_budget": 0, "reproducible": False}, "reproducible"),
        ({"precision": "fp32"}, {"precision": "bf16", "master_weights": True}, "precision"),
        (
            {"precision": "bf16"},
            {"precision": "bf16", "master_weights": True},
            "precision (bf16 has float32 master weights now)",
        ),
    ],
)
def test_the_difference_to_another_run_names_hyperparameters_as_people_write_them(
    tmp_path: Path,
    theirs: dict[str, Any],
    ours: dict[str, Any],
    ending: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each once, and no field that only follows from another."""
    CheckpointStore(tmp_path, {**FINGERPRINT, **theirs}).save(make_checkpoint(1))
    assert CheckpointStore(tmp_path, {**FINGERPRINT, **ours}).load_newest() is None
    assert caplog.messages[-1].endswith(f"differs in: {ending}")


def test_this_runs_checkpoint_under_another_runs_name_is_reported(
    tmp_path: Path, store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no difference to name but the name."""
    path = store.save(make_checkpoint(1))
    path.rename(tmp_path / f"checkpoint-{'0' * 12}-000000001.safetensors")
    assert store.load_newest() is None
    assert caplog.messages[-1].endswith("(checkpoint-000000000000-000000001.safetensors) has been renamed")


def test_another_runs_file_that_cannot_be_read_is_reported(
    tmp_path: Path, store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been this run's, so the fresh start is no secret."""
    (tmp_path / f"checkpoint-{'0' * 12}-000000001.safetensors").write_bytes(b"nothing")
    assert store.load_newest() is None
    assert "ignoring 1 checkpoint(s) of another run" in caplog.messages[-1]
    assert caplog.messages[-1].endswith("cannot be used: its header cannot be read")


def test_checkpoints_a_folder_below_are_reported(
    tmp_path: Path, store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Given the folder of all jobs instead of one's own, a run would begin anew in silence."""
    (tmp_path / "a-job").mkdir()
    CheckpointStore(tmp_path / "a-job", FINGERPRINT).save(make_checkpoint(1))
    assert store.load_newest() is None
    assert "ignoring 1 checkpoint(s) in" in caplog.messages[-1]
    assert "set checkpoint_s3_uri to that folder" in caplog.messages[-1]


def test_an_old_one_that_cannot_be_removed_costs_room_not_the_run(
    tmp_path: Path, store: CheckpointStore, caplog: pytest.LogCaptureFixture
) -> None:
    """What was saved is saved."""
    stubborn = tmp_path / f"checkpoint-{store._run}-000000001.safetensors"
    stubborn.mkdir()
    with caplog.at_level(logging.WARNING):
        for step in range(2, KEEP + 3):
            assert store.save(make_checkpoint(step)).exists()
    assert steps_in(tmp_path) == [1, *range(3, KEEP + 3)]
    assert f"old checkpoint {stubborn.name} cannot be deleted" in caplog.text


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path) -> None:
    """Not an error of the program."""
    with pytest.raises(PlatformError, match=r"The checkpoints in .* cannot be read: No such file"):
        CheckpointStore(tmp_path / "gone", FINGERPRINT).load_newest()
