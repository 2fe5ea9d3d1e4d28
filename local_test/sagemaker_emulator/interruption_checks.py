"""A job that is stopped, and one whose spot instances are taken away."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s3_mirror import IGNORED_SUFFIX, MARKERS, CheckpointMirror
from sagemaker_emulator.engine import KILLED, Container
from sagemaker_emulator.instance import Instance, files_of, largest_digest
from sagemaker_emulator.rehearsal import Rehearsal
from sagemaker_emulator.training_checks import describe_end

STOP_CHECKS = ("stop.ends", "stop.saves")
SPOT_CHECKS = tuple(
    f"spot.{name}" for name in ("checkpoints", "resumes", "completes", "same-model", "restart-completed")
)
_SAYS_RESUMED = re.compile(
    rb"(?i)\bresum|\brestor|\bcontinu|from checkpoint|already (?:done|trained|finished)"
)
_UPLOADED = MARKERS[1]
_UPLOAD_RATE = 100e6  # bytes a second


def wait_until_training(rehearsal: Rehearsal, container: Container, instance: Instance) -> bool:
    """Wait until a job shows that it trains, by its log or by a checkpoint; say whether it still runs then."""
    job, began = rehearsal.job, time.monotonic()

    def trains() -> bool:
        if job.progress_in(container.log()) or any(
            path.stat().st_size for path in _present(instance.checkpoint_dir)
        ):
            return True
        return time.monotonic() - began > _silent_seconds(rehearsal)

    return container.wait_until(trains, rehearsal.limits.training) and container.is_running()


def _silent_seconds(rehearsal: Rehearsal) -> float:
    """Return after how long a program that never shows anything is taken to train: half of an undisturbed run.

    One that does show something is waited for, however long it takes to start: SIGTERM to a first process that has
    not yet said what to do about it is lost.
    """
    if not rehearsal.base.done():
        return math.inf
    peace = rehearsal.base.result()
    has_shown = rehearsal.job.progress_in(peace.log) or (
        peace.instance and _present(peace.instance.checkpoint_dir)
    )
    return math.inf if has_shown else peace.seconds / 2


def _present(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def check_stop(rehearsal: Rehearsal) -> None:
    """Stop a job as StopTrainingJob does, in the middle of its training."""
    report, grace = rehearsal.report, rehearsal.limits.stop
    instance = rehearsal.new_instance("stop", hyperparameters=rehearsal.job.profile.long_hyperparameters)
    with rehearsal.training(instance) as container:
        if not wait_until_training(rehearsal, container, instance):
            for name in STOP_CHECKS:
                report.skip(
                    name, "the job ended before it was stopped: make it longer with --long NAME=VALUE"
                )
            return
        said = len(container.log())
        code, seconds = container.stop(grace)
        told = f"exit code {code} after {seconds:.1f} s"
        report.judge(
            "stop.ends", code != KILLED, told if code != KILLED else f"ended by SIGKILL after {grace} s"
        )
        names = files_of(instance.model_dir)
        if names:
            report.judge("stop.saves", True, f"{len(names)} files in /opt/ml/model")
        else:
            words = container.log()[said:].strip() or instance.failure().encode()
            has_reason = bool(words) and code != KILLED
            told = f"no model, and the log says: {words.decode('utf-8', 'replace')[-160:]}"
            report.judge("stop.saves", has_reason, told if has_reason else "no model, and no word about it")


@dataclass
class _Life:
    """One start of the job on a fresh instance."""

    instance: Instance
    code: int | None
    log: bytes
    told: str


def check_spot(rehearsal: Rehearsal) -> None:
    """Take the instance away twice, keep what had reached S3, and let the job end; then start it once more."""
    report = rehearsal.report
    if not rehearsal.job.profile.checkpoints:
        for name in SPOT_CHECKS:
            report.skip(name, "the image is said to save no checkpoints")
        return
    bucket = rehearsal.new_folder("s3")
    bucket.mkdir()
    first = _live(rehearsal, bucket, until_uploaded=True)
    stored = _stored(bucket)
    report.judge("spot.checkpoints", bool(stored), ", ".join(stored[:3]) or f"none; {first.told}")
    if not stored:
        for name in SPOT_CHECKS:
            if not report.has(name):
                report.skip(name, "no checkpoint reached S3")
        return
    pause = rehearsal.rng.uniform(0.2, 1.0) * max(rehearsal.base.result().seconds, 1.0)
    later = [_live(rehearsal, bucket, seconds=pause), _live(rehearsal, bucket)]
    _judge_resumption(rehearsal, first, later)
    last = later[-1]
    is_done = last.code == 0 and bool(files_of(last.instance.model_dir))
    report.judge("spot.completes", is_done, f"after 2 interruptions {last.told}")
    if not is_done:
        report.skip("spot.same-model", "the interrupted job did not complete")
        report.skip("spot.restart-completed", "the interrupted job did not complete")
        return
    _judge_model(rehearsal, last.instance)
    again = _live(rehearsal, bucket)
    has_model = again.code == 0 and bool(files_of(again.instance.model_dir))
    report.judge("spot.restart-completed", has_model, again.told if has_model else f"{again.told}, no model")


def _live(rehearsal: Rehearsal, bucket: Path, *, until_uploaded: bool = False, seconds: float = 0.0) -> _Life:
    """Run the job on a fresh instance with the checkpoints of the bucket, while these are copied back and forth.

    Args:
        until_uploaded: SIGKILL as soon as a checkpoint has reached the bucket.
        seconds: SIGKILL so long after the start; 0 = let it end by itself.
    """
    instance = rehearsal.new_instance("spot")
    mirror = CheckpointMirror(instance.checkpoint_dir, bucket, rehearsal.rng, bytes_per_second=_UPLOAD_RATE)
    mirror.restore()
    began = time.monotonic()
    with rehearsal.training(instance) as container:
        mirror.start()
        try:
            if until_uploaded:
                container.wait_until(lambda: _has_uploaded(instance), rehearsal.limits.training)
                mirror.freeze()
                code = None if container.is_running() else container.wait(rehearsal.limits.refusal)
            else:
                code = container.wait(seconds or rehearsal.limits.training)
        finally:
            mirror.freeze()
        if until_uploaded or seconds:
            container.kill("KILL")
        elif code == 0:
            mirror.finish()
        return _Life(
            instance, code, container.log(), describe_end(container, instance, code, time.monotonic() - began)
        )


def _has_uploaded(instance: Instance) -> bool:
    """Say whether a whole checkpoint is in the bucket: all that lies there now, since it may be several files."""
    present = {str(path) for path in _present(instance.checkpoint_dir)}
    uploaded = {name.removesuffix(_UPLOADED) for name in present if name.endswith(_UPLOADED)}
    waiting = {name for name in present if not name.endswith((IGNORED_SUFFIX, *MARKERS))}
    return bool(uploaded) and waiting <= uploaded


def _stored(bucket: Path) -> list[str]:
    """Return the objects of the bucket that hold something."""
    return sorted(str(path.relative_to(bucket)) for path in _present(bucket) if path.stat().st_size)


def _judge_resumption(rehearsal: Rehearsal, first: _Life, later: Sequence[_Life]) -> None:
    """Compare where lives began, by the first number of progress in their logs, or by what they say."""
    report, job = rehearsal.report, rehearsal.job
    began = job.progress_in(first.log)[:1]
    starts = [job.progress_in(life.log)[:1] for life in later]
    if began and any(start and start > began for start in starts):
        numbers = ", then ".join(str(start[0]) for start in [began, *starts] if start)
        report.judge("spot.resumes", True, f"the lives began at {numbers}")
    elif any(_SAYS_RESUMED.search(life.log) for life in later):
        report.judge("spot.resumes", True, "the log says so")
    elif began and any(starts):
        report.judge("spot.resumes", False, f"every life began at {began[0]}")
    else:
        report.skip("spot.resumes", "the log shows no progress: say how it does with --progress REGEX")


def _judge_model(rehearsal: Rehearsal, instance: Instance) -> None:
    peace = rehearsal.base.result().instance
    if peace is None:
        rehearsal.report.skip("spot.same-model", "there is no undisturbed training to compare with")
        return
    (name, digest), expected = largest_digest(instance.model_dir), largest_digest(peace.model_dir)
    told = "the same bits as undisturbed" if (name, digest) == expected else "other bits than undisturbed"
    rehearsal.report.judge("spot.same-model", (name, digest) == expected, f"{name}: {told}")
