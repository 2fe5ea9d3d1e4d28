"""The interruption drill's reading of a log: which phase a signal met, and what counts as hit."""

import os
import random
import time
from pathlib import Path

import pytest

from spot_drill.aims import aim_at
from spot_drill.attempts import (
    EVALUATION,
    EXPORT,
    START,
    TRAINING,
    Attempt,
    LogReader,
    Progress,
    shortfall,
    summary,
)
from spot_drill.engines import threads_for
from spot_drill.s3_mirror import CheckpointMirror

UNDISTURBED = Progress(step=6, total_steps=6, evaluated=[3, 6], has_trained=True)


def progress(*lines: str) -> Progress:
    """Return the progress that some lines of a log show."""
    found = Progress()
    for line in lines:
        found.read_line(f"2026-01-31 12:00:00 INFO {line}")
    return found


def step(number: int) -> str:
    """Return a metric line of the training."""
    return f"step={number} total_steps=6 epoch=0.5 train_loss=1.0 grad_norm=1.0"


def evaluation(number: int) -> str:
    """Return a metric line of an evaluation."""
    return f"step={number} eval_loss=1.0 eval_accuracy=0.5"


@pytest.mark.parametrize(
    ("lines", "phase"),
    [
        ([], START),
        (["resuming from step 2 of 6"], START),
        ([step(1)], TRAINING),
        ([step(2), step(3)], EVALUATION),
        ([step(3), evaluation(3)], TRAINING),
        ([step(3), evaluation(3), step(4)], TRAINING),
        ([step(6)], EVALUATION),
        (["resuming from step 6 of 6"], EVALUATION),
        ([step(6), evaluation(6)], EXPORT),
        (["run already finished at step 6; re-exporting the model"], EXPORT),
    ],
)
def test_the_phase_follows_from_the_log(lines: list[str], phase: str) -> None:
    """Between two steps is training; what comes before the first, after an evaluation's step or at the end is not."""
    assert progress(*lines).phase(UNDISTURBED) == phase


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    """Half a line counts once it is whole."""
    path = tmp_path / "log"
    path.write_text(f"INFO {step(1)}\nINFO {step(2)[:15]}")
    reader = LogReader(path)
    assert reader.read().step == 1
    with path.open("a") as file:
        file.write(f"{step(2)[15:]}\n")
    assert reader.read().step == 2


def attempt(signal: str, exit_code: int, *lines: str) -> Attempt:
    """Return an attempt that a signal was sent to after some lines."""
    found = progress(*lines)
    return Attempt(signal, exit_code, 1.0, 1, found.phase(UNDISTURBED), found)


@pytest.mark.parametrize(
    ("signal", "exit_code", "is_hit", "is_sound"),
    [
        ("SIGKILL", -9, True, True),
        ("SIGTERM", 143, True, True),
        ("SIGTERM", -15, True, True),
        ("SIGKILL", 0, False, True),
        ("SIGTERM", 0, False, True),
        ("", 0, False, True),
        ("", -9, False, False),
        ("SIGTERM", 1, False, False),
        ("SIGTERM", -9, False, False),
    ],
)
def test_only_a_death_by_the_signal_is_a_hit(
    signal: str, exit_code: int, is_hit: bool, is_sound: bool
) -> None:
    """A program that ended well all the same was not interrupted; one that ended otherwise has failed."""
    ended = attempt(signal, exit_code, step(1))
    assert (ended.is_hit, ended.is_sound) == (is_hit, is_sound)


def test_what_hit_no_training_is_not_counted() -> None:
    """Two of three signals met the start and an ended program: the drill has not done what it was asked for."""
    attempts = [
        attempt("SIGKILL", -9),
        attempt("SIGTERM", 143, step(1), step(2)),
        attempt("SIGKILL", 0, step(6)),
    ]
    assert summary(attempts, 3, 6).startswith("1 of 3 hit training; hits by phase: 1 start, 1 training")
    assert shortfall(attempts, 3, 6).startswith("Only 1 of 3 interruptions hit training")


def test_resuming_must_have_been_seen() -> None:
    """Attempts that all begin anew, or only export, show nothing of resuming."""
    hit = attempt("SIGKILL", -9, step(1))
    exported = attempt("", 0, "run already finished at step 6; …")
    assert shortfall([hit, exported], 1, 6).startswith("No attempt resumed from a checkpoint")
    assert shortfall([hit, attempt("", 0, "resuming from step 1 of 6", step(6))], 1, 6) == ""


def test_targets_leave_steps_for_those_to_come() -> None:
    """Whatever is drawn, the step is followed by another one, and enough of these are left."""
    undisturbed = Attempt(
        "", 0, 10.0, 1, EXPORT, Progress(step=12, evaluated=[6, 12], has_trained=True), 1.0, 2.0
    )
    for seed in range(50):
        aim = aim_at(TRAINING, undisturbed, 3, random.Random(seed))
        steps = [n for n in range(1, 13) if _is_reached(aim, n)]
        assert steps[0] not in {6, 12}
        assert len([n for n in undisturbed.progress.targets() if n > steps[0]]) >= 2


def _is_reached(aim: object, number: int) -> bool:
    """Return whether the aim has its step behind it; its pause within the step aside."""
    aim.is_due(Progress(step=number, has_trained=True))  # type: ignore[attr-defined]
    return aim._due is not None  # type: ignore[attr-defined]


def test_numbers_of_ranks_get_the_same_threads() -> None:
    """A process alone does not take the cores that several would share; fewer are taken where that is asked for."""
    cores = len(os.sched_getaffinity(0))
    assert threads_for((1, cores), {}) == {"OMP_NUM_THREADS": "1"}
    assert threads_for((1, 2 * cores), {"OMP_NUM_THREADS": "3"}) == {"OMP_NUM_THREADS": "1"}
    assert threads_for((1,), {}) == threads_for((2, 2), {}) == {}


def test_a_mirror_that_cannot_copy_says_so(tmp_path: Path) -> None:
    """What ends the copying in the background is raised where the mirror is stopped, not lost."""
    local, bucket = tmp_path / "checkpoints", tmp_path / "s3"
    for folder in (local, bucket, bucket / "a"):
        folder.mkdir()
    mirror = CheckpointMirror(local, bucket, random.Random(0), bytes_per_second=1e9)
    mirror.start()
    (local / "a").write_text("a file, where the bucket has a folder")
    while mirror._thread.is_alive():
        time.sleep(0.01)
    with pytest.raises(IsADirectoryError):
        mirror.finish()
