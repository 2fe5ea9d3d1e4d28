"""A job that is stopped, and one whose spot instances are reclaimed."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.engine import KILLED, Container, Stop
from sagemaker_emulator.instance import Instance, files_of, largest_digest
from sagemaker_emulator.job import Job
from sagemaker_emulator.rehearsal import Rehearsal
from sagemaker_emulator.training_checks import describe_end
from spot_drill.s3_mirror import IGNORED_SUFFIX, MARKERS, CheckpointMirror

STOP_CHECKS, SPOT_CHECKS = names_of("stop"), names_of("spot")
_SAYS_RESUMED = re.compile(
    rb"(?i)\bresum|\brestor|\bcontinu|from checkpoint|already (?:done|trained|finished)"
)
_NO_HIT = "the job ended before it was interrupted: give it more to do"
_UPLOADED = MARKERS[1]
_UPLOAD_RATE = 100e6  # bytes per second


def wait_until_training(rehearsal: Rehearsal, container: Container, instance: Instance) -> bool:
    """Wait until a job shows that it trains, by its log or by a checkpoint; return whether it still runs then."""
    job, began = rehearsal.job, time.monotonic()

    def trains() -> bool:
        if any(path.stat().st_size for path in _present(instance.checkpoint_dir)) or job.progress_in(
            container.log()
        ):
            return True
        return time.monotonic() - began > _silent_seconds(rehearsal)

    return container.wait_until(trains, rehearsal.limits.training) and container.is_running()


def _silent_seconds(rehearsal: Rehearsal) -> float:
    """Return after how long a program that shows nothing is assumed to train: half of an undisturbed run.

    One that does show something is waited for, however long it takes to start: SIGTERM is lost on a first process
    that has not yet set a handler.
    """
    if not rehearsal.base.done():
        return math.inf
    undisturbed = rehearsal.base.result()
    if undisturbed.instance is None:
        return math.inf  # it fails undisturbed, too: nobody has seen it train
    has_shown = rehearsal.job.progress_in(undisturbed.log) or _present(undisturbed.instance.checkpoint_dir)
    return math.inf if has_shown else undisturbed.seconds / 2


def _present(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def check_stop(rehearsal: Rehearsal) -> None:
    """Stop a job as StopTrainingJob does, while it trains."""
    report, grace = rehearsal.report, rehearsal.limits.stop
    instance = rehearsal.new_instance("stop", hyperparameters=rehearsal.job.profile.long_hyperparameters)
    with rehearsal.training(instance) as container:
        if not wait_until_training(rehearsal, container, instance):
            reason = "the job ended before it was stopped: make it longer with --long NAME=VALUE"
            report.skip_rest(STOP_CHECKS, reason)
            return
        said = len(container.log())
        stop = container.stop(grace)
        report.judge("stop.ends", *judge_stop(stop, grace))
        if not stop.was_running:
            report.skip("stop.saves", _NO_HIT)
            return
        names = files_of(instance.model_dir)
        if names:
            report.judge("stop.saves", True, f"{len(names)} files in /opt/ml/model")
        else:
            words = last_words(rehearsal.job, container.log()[said:]) or instance.failure().strip()
            has_reason = bool(words) and stop.code != KILLED
            seen = f"no model, and the log says: {words[-160:]}"
            report.judge("stop.saves", has_reason, seen if has_reason else "no model, and no word about it")


def judge_stop(stop: Stop, grace: int) -> tuple[bool | None, str]:
    """Judge how a job ended on SIGTERM; None when it had ended before."""
    seen = f"exit code {stop.code} after {stop.seconds:.1f} s"
    if not stop.was_running:
        return None, f"{_NO_HIT}; {seen}"
    return stop.code != KILLED, seen if stop.code != KILLED else f"ended by SIGKILL after {grace} s"


def last_words(job: Job, log: bytes) -> str:
    """Return what a job logged after SIGTERM, without its progress."""
    lines = [line for line in log.splitlines() if line.strip() and not job.progress_in(line)]
    return b"\n".join(lines).decode("utf-8", "replace").strip()


@dataclass
class Attempt:
    """One start of the job on a fresh instance.

    Attributes:
        code: exit code; 137 when the instance was reclaimed; None when it did not end.
    """

    instance: Instance
    code: int | None
    log: bytes
    end: str

    @property
    def was_interrupted(self) -> bool:
        """Whether SIGKILL ended a running job."""
        return self.code == KILLED


def check_spot(rehearsal: Rehearsal) -> None:
    """Reclaim the instance twice, keep what had reached S3, and let the job end; then start it once more."""
    report = rehearsal.report
    if not rehearsal.job.profile.checkpoints:
        report.skip_rest(SPOT_CHECKS, "the profile says that the image saves no checkpoints")
        return
    bucket = rehearsal.new_folder("s3")
    bucket.mkdir()
    first = _run_attempt(rehearsal, bucket, until_uploaded=True)
    stored = _stored(bucket)
    report.judge("spot.checkpoints", bool(stored), ", ".join(stored[:3]) or f"none; {first.end}")
    if not stored:
        report.skip_rest(SPOT_CHECKS, "no checkpoint reached S3")
        return
    pause = rehearsal.rng.uniform(0.2, 1.0) * max(rehearsal.base.result().seconds, 1.0)
    second = _run_attempt(rehearsal, bucket, seconds=pause)
    last = _run_attempt(rehearsal, bucket)
    hits = sum(attempt.was_interrupted for attempt in (first, second))
    report.judge("spot.resumes", *judge_resumption(rehearsal.job, first, [second, last]))
    is_done = last.code == 0 and _has_model(rehearsal, last.instance)
    report.judge("spot.completes", *judge_completion(hits, last.end, is_done=is_done))
    if not is_done:
        report.skip_rest(SPOT_CHECKS, "the interrupted job did not complete")
        return
    if hits:
        _judge_model(rehearsal, last.instance)
    else:
        report.skip("spot.same-model", _NO_HIT)
    again = _run_attempt(rehearsal, bucket)
    has_model = again.code == 0 and _has_model(rehearsal, again.instance)
    report.judge("spot.restart-completed", has_model, again.end if has_model else f"{again.end}, no model")


def _has_model(rehearsal: Rehearsal, instance: Instance) -> bool:
    """Return whether an instance has a model, or whether the undisturbed training left none either."""
    return bool(files_of(instance.model_dir)) or not rehearsal.base.result().has_model


def _run_attempt(
    rehearsal: Rehearsal, bucket: Path, *, until_uploaded: bool = False, seconds: float = 0.0
) -> Attempt:
    """Run the job on a fresh instance that gets the bucket's checkpoints and uploads its own.

    Args:
        until_uploaded: SIGKILL as soon as a checkpoint has reached the bucket.
        seconds: SIGKILL this long after the start; 0 = let it end by itself.
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
        seen = describe_end(container, instance, code, time.monotonic() - began)
        if (until_uploaded or seconds) and code is None:
            container.kill("KILL")
            code = container.wait(rehearsal.limits.refusal)  # that of its own, when it ended just before
        elif code == 0:
            mirror.finish()
        return Attempt(instance, code, container.log(), seen)


def _has_uploaded(instance: Instance) -> bool:
    """Return whether a whole checkpoint is in the bucket: all that lies there now, since it may be several files."""
    present = {str(path) for path in _present(instance.checkpoint_dir)}
    uploaded = {name.removesuffix(_UPLOADED) for name in present if name.endswith(_UPLOADED)}
    waiting = {name for name in present if not name.endswith((IGNORED_SUFFIX, *MARKERS))}
    return bool(uploaded) and waiting <= uploaded


def _stored(bucket: Path) -> list[str]:
    """Return the objects of the bucket that hold something."""
    return sorted(str(path.relative_to(bucket)) for path in _present(bucket) if path.stat().st_size)


def judge_completion(hits: int, seen: str, *, is_done: bool) -> tuple[bool | None, str]:
    """Judge whether an interrupted job completed, given how many interruptions hit it."""
    if is_done and not hits:
        return None, f"{_NO_HIT}; {seen}"
    return is_done, f"after {hits} interruption{'' if hits == 1 else 's'} {seen}"


def judge_resumption(job: Job, first: Attempt, later: Sequence[Attempt]) -> tuple[bool | None, str]:
    """Judge where attempts began: by the first progress number in their logs, or by lines that the first one lacks."""
    if not first.was_interrupted:
        return None, f"{_NO_HIT}; {first.end}"
    began = job.progress_in(first.log)[:1]
    starts = [job.progress_in(attempt.log)[:1] for attempt in later]
    if began and any(start and start > began for start in starts):
        numbers = ", then ".join(str(start[0]) for start in [began, *starts] if start)
        return True, f"the attempts began at {numbers}"
    if any(_sayings(attempt.log) - _sayings(first.log) for attempt in later):
        return True, "the log says so"
    if began and any(starts):
        return False, f"every attempt began at {began[0]}"
    return None, "the log shows no progress: say how it does with --progress REGEX"


def _sayings(log: bytes) -> set[bytes]:
    """Return the lines that speak of resuming, with their numbers masked."""
    return {re.sub(rb"\d+", b"#", line.strip()) for line in log.splitlines() if _SAYS_RESUMED.search(line)}


def _judge_model(rehearsal: Rehearsal, instance: Instance) -> None:
    undisturbed = rehearsal.base.result().instance
    if undisturbed is None or not files_of(undisturbed.model_dir):
        rehearsal.report.skip("spot.same-model", "there is no undisturbed training to compare with")
        return
    (name, digest), expected = largest_digest(instance.model_dir), largest_digest(undisturbed.model_dir)
    seen = "the same bits as undisturbed" if (name, digest) == expected else "other bits than undisturbed"
    rehearsal.report.judge("spot.same-model", (name, digest) == expected, f"{name}: {seen}")
