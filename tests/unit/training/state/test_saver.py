"""When a run saves, what happens when the disk does not take it, and the room that is needed for it."""

import dataclasses
import shutil
import threading
from pathlib import Path

import pytest
import torch

from bert_classifier.errors import PlatformError
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.disk_space import require_checkpoint_space, require_model_space
from bert_classifier.training.state.saver import CheckpointSaver
from bert_classifier.training.state.store import CheckpointStore
from support.clear_text import assert_clear
from support.patience import PATIENCE_S


class FailingStore(CheckpointStore):
    """A store whose disk is full while `is_full`, and that can be held up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"run": 1})
        self.is_full = True
        self.gate = threading.Event()
        self.gate.set()

    def save(self, checkpoint: Checkpoint) -> Path:
        self.gate.wait(PATIENCE_S)
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().save(checkpoint)


def small_checkpoint() -> Checkpoint:
    """Return a checkpoint with one tensor."""
    return Checkpoint(1, {}, {"model.weight": torch.ones(3)})


def test_training_survives_failing_saves_but_not_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk is a warning twice; the third time in a row the run stops with the cause."""
    saver = CheckpointSaver(FailingStore(tmp_path), 0, small_checkpoint)
    for _ in range(3):
        saver.save_if_due()
        saver.close()
    assert "checkpoint_failures=3" in caplog.text
    with pytest.raises(PlatformError, match="No space left on device"):
        saver.save_if_due()


def test_a_good_save_forgives_earlier_failures(tmp_path: Path) -> None:
    """Once the disk takes a checkpoint again, counting starts anew."""
    store = FailingStore(tmp_path)
    saver = CheckpointSaver(store, 0, small_checkpoint)
    for is_full in (True, True, False, True, True):
        store.is_full = is_full
        saver.save_if_due(is_milestone=True)
        saver.close()
        saver._cost = 0.0
    saver.save_if_due()
    saver.close()


def test_a_save_that_must_succeed_tells_when_it_does_not(tmp_path: Path) -> None:
    """The last save of an attempt raises instead of pretending."""
    with pytest.raises(PlatformError, match="Checkpoints cannot be saved"):
        CheckpointSaver(FailingStore(tmp_path), 0, small_checkpoint).save_now(1)


def test_whatever_goes_wrong_in_the_background_is_reported_in_the_training_thread(tmp_path: Path) -> None:
    """Also after the file was written: a checkpoint that is gone again, say."""

    class ForgetfulStore(CheckpointStore):
        """A store whose folder loses what was written."""

        def save(self, checkpoint: Checkpoint) -> Path:
            path = super().save(checkpoint)
            path.unlink()
            return path

    saver = CheckpointSaver(ForgetfulStore(tmp_path, {"run": 1}), 0, small_checkpoint)
    with pytest.raises(PlatformError, match=r"Checkpoints cannot be saved: .*No such file"):
        saver.save_now(1)


def test_no_second_save_begins_while_one_is_under_way(tmp_path: Path) -> None:
    """A slow disk makes checkpoints rarer; training does not wait and memory does not fill up."""
    store = FailingStore(tmp_path)
    store.is_full = False
    store.gate.clear()
    taken: list[int] = []
    saver = CheckpointSaver(store, 0, lambda: taken.append(1) or small_checkpoint())  # type: ignore[func-returns-value]
    for _ in range(5):
        saver.save_if_due()
    assert len(taken) == 1
    store.gate.set()
    saver.close()
    assert store.load_newest() is not None


def test_without_a_folder_nothing_is_saved() -> None:
    """A job without checkpoint configuration trains all the same."""
    saver = CheckpointSaver(None, 0, small_checkpoint)
    saver.save_if_due()
    saver.save_now(1)
    saver.close()


def test_too_little_space_is_reported_at_the_start(tmp_path: Path) -> None:
    """A run whose checkpoints cannot fit stops before it has cost anything."""
    with pytest.raises(PlatformError, match=r"MB free, 4 checkpoints need") as caught:
        require_checkpoint_space(tmp_path, 10**15, others=2_000_000)
    assert_clear(caught.value)
    assert "remove the 2.0 MB of other runs' checkpoints there" in caught.value.remedy
    require_checkpoint_space(tmp_path, 1)
    with pytest.raises(PlatformError, match=r"MB free, the model needs 1,000,000,000.0 MB"):
        require_model_space(tmp_path, 10**15)
    require_model_space(tmp_path, 1)


def test_this_runs_checkpoints_that_are_there_need_no_space_again(tmp_path: Path) -> None:
    """They make room for new ones, as many as are kept; what is larger than a checkpoint counts as one."""
    third = shutil.disk_usage(tmp_path).free // 3
    for too_little in ((), (third // 4,), (0, 0, 0, third)):
        with pytest.raises(PlatformError):
            require_checkpoint_space(tmp_path, third, too_little)
    for enough in ((third, third), (third * 9, third * 9), (third,) * 5):
        require_checkpoint_space(tmp_path, third, enough)


def test_the_sizes_that_count_are_those_of_this_runs_sound_checkpoints(tmp_path: Path) -> None:
    """Neither another run's nor one known to be damaged makes room."""
    small = Checkpoint(1, {}, {"w": torch.ones(3)})
    store = CheckpointStore(tmp_path, {"run": 1})
    sizes = [store.save(dataclasses.replace(small, step=step)).stat().st_size for step in (1, 2)]
    (tmp_path / f"checkpoint-{store._run}-000000003.safetensors").write_bytes(bytes(5000))
    other = CheckpointStore(tmp_path, {"run": 2}).save(small)
    attempt = CheckpointStore(tmp_path, {"run": 1})
    assert attempt.load_newest() is not None
    assert attempt.sizes_kept() == sizes[::-1]
    assert attempt.bytes_of_others() == other.stat().st_size


def test_one_checkpoint_is_saved_shortly_before_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told when the job's time ends, it saves once two minutes before, though the interval is longer than the job."""
    now = [1000.0]
    monkeypatch.setattr("bert_classifier.training.state.saver.time.monotonic", lambda: now[0])
    store = FailingStore(tmp_path)
    store.is_full = False
    taken: list[float] = []

    def take() -> Checkpoint:
        taken.append(now[0])
        return small_checkpoint()

    saver = CheckpointSaver(store, 86_400, take, deadline=1000.0 + 600)
    for now[0] in (1100.0, 1479.0, 1480.0, 1481.0, 1599.0):
        saver.save_if_due()
        saver.close()
    assert taken == [1480.0]
