"""A training job on one instance: its inputs, its outputs, and how it fails."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.engine import Container
from sagemaker_emulator.instance import Instance, artifact_faults, files_of
from sagemaker_emulator.level import Level
from sagemaker_emulator.rehearsal import NO_NETWORK, READ_ONLY_CHANNELS, SMALL_SHM, BaseRun, Rehearsal

MOST_FAILURE = 1024  # characters of the failure file that SageMaker shows
ENCODING_CHECKS = ("train.encodings", "train.platform-names", "train.unknown-user")
REFUSAL_CHECKS = (
    "train.missing-channel", "train.empty-channel", "train.bad-hyperparameter", "train.failure-file",
)  # fmt: skip
BASE_CHECKS = names_of("train", without=(*ENCODING_CHECKS, *REFUSAL_CHECKS))
_HELP = {
    READ_ONLY_CHANNELS: "writable channels",
    NO_NETWORK: "a network",
    SMALL_SHM: "a large /dev/shm",
}
_PLATFORM_NAMES = {
    "sagemaker_container_log_level": "20",
    "sagemaker_job_name": '"rehearsal"',
    "sagemaker_region": '"us-east-1"',
    "_tuning_objective_metric": "accuracy",
}
_UNKNOWN_USER = "--user=12345:12345"
_BALLAST = ("optimizer", "scheduler", "checkpoint", ".ckpt", "rng_state", "trainer_state")
_SCRATCH = ("/tmp", "/var/tmp", "/dev", "/run", "/proc", "/sys")  # noqa: S108 - nothing is written there
_MOUNTS = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/checkpoints")
_TOOLKIT = "/opt/ml/code"  # made by AWS' training toolkit


def run_base(rehearsal: Rehearsal) -> None:
    """Train undisturbed, without what SageMaker withholds; judge the outputs and pass the run on to other parts."""
    try:
        run = _first_run(rehearsal)
    except BaseException as error:
        rehearsal.base.set_exception(error)
        raise
    rehearsal.base.set_result(run)


def _first_run(rehearsal: Rehearsal) -> BaseRun:
    report = rehearsal.report
    run, written, seen = _train(rehearsal)
    if run.instance:
        for name in _HELP:
            report.judge(name, True, "trained with it")
    else:
        run, written, seen = _with_help(rehearsal, (run, written, seen))
    report.judge("train.completes", run.instance is not None, seen)
    if run.instance is None:
        report.skip_rest(BASE_CHECKS, "the job did not complete")
        return run
    _judge_artifact(rehearsal, run.instance)
    stray = strays(written)
    report.judge("train.writes", not stray, ", ".join(stray[:4]) or "nothing elsewhere")
    report.judge("train.log", *_judge_log(run.log))
    return run


_Training = tuple[BaseRun, list[str], str]  # the run, what it wrote outside its mounts, what was seen


def _train(rehearsal: Rehearsal, granted: Sequence[str] = ()) -> _Training:
    """Train without what SageMaker does not always grant.

    Args:
        granted: checks whose restriction is lifted.
    """
    instance = rehearsal.new_instance("training")
    began = time.monotonic()
    with rehearsal.training(instance, granted=granted) as container:
        code = container.wait(rehearsal.limits.training)
        seconds = time.monotonic() - began
        seen = describe_end(container, instance, code, seconds)
        run = BaseRun(instance if code == 0 else None, seconds, container.log(), tuple(granted))
        return run, container.written(), seen


def _with_help(rehearsal: Rehearsal, failed: _Training) -> _Training:
    """Lift the restrictions, all and then one by one, to find the one that the job fails under."""
    helped = _train(rehearsal, list(_HELP))
    if helped[0].instance is None:
        return failed
    for name, help_ in _HELP.items():
        alone = _train(rehearsal, [name])
        if alone[0].instance is not None:
            rehearsal.report.judge(name, False, f"the job completes only with {help_}")
            helped = alone
        else:
            rehearsal.report.skip(name, "the job fails for another reason, or for more than one")
    return helped


def _judge_artifact(rehearsal: Rehearsal, instance: Instance) -> None:
    report, names = rehearsal.report, files_of(instance.model_dir)
    faults = artifact_faults(instance.model_dir)
    grave = [fault for fault in faults if fault.is_grave]
    seen = "; ".join(str(fault) for fault in (grave or faults)[:4]) or f"{len(names)} regular files"
    report.judge("train.artifact", not faults, seen, Level.COSTS if grave else Level.PRACTICE)
    ballast = ballast_of(instance.model_dir)
    report.judge(
        "train.ballast", not ballast, ", ".join(map(str, ballast[:4])) or "no such file beside the model"
    )


def ballast_of(folder: Path) -> list[Path]:
    """Return the files of an artifact that are named as if only training needs them.

    A model may itself be named so, such as model.ckpt: they count where a tenth of their bytes lies beside them.
    """
    sizes = {name: (folder / name).lstat().st_size for name in files_of(folder)}
    named = [name for name in sizes if any(word in str(name).lower() for word in _BALLAST)]
    weight = sum(sizes[name] for name in named)
    return named if sum(sizes.values()) - weight >= weight / 10 else []


def strays(written: Sequence[str], mounts: Sequence[str] = _MOUNTS) -> list[str]:
    """Return what a container wrote where it should not; parents of mounts, scratch and bytecode do not count."""
    found = []
    for path in written:
        is_parent = any(mount == path or mount.startswith(f"{path}/") for mount in mounts)
        is_below = path.startswith(
            tuple(f"{folder}/" for folder in (*_SCRATCH, *mounts, _TOOLKIT))
        ) or path in (*_SCRATCH, _TOOLKIT)
        is_bytecode = "__pycache__" in path
        # A folder is reported as changed along with what was put into it: the deepest path says enough.
        is_folder_of_other = any(other.startswith(f"{path}/") for other in written)
        if not (is_parent or is_below or is_bytecode or is_folder_of_other):
            found.append(path)
    return found


def _judge_log(log: bytes) -> tuple[bool, str]:
    redrawn = [line for line in log.split(b"\n") if b"\r" in line.rstrip(b"\r")]
    if redrawn:
        return False, f"{len(redrawn)} lines are redrawn with carriage returns"
    return bool(log.strip()), f"{len(log.splitlines())} lines"


def describe_end(container: Container, instance: Instance, code: int | None, seconds: float) -> str:
    """Return how a job ended, with its own reason when it failed."""
    if code is None:
        return f"still running after {seconds:.0f} s"
    seen = f"exit code {code} after {seconds:.0f} s"
    reason = (instance.failure() or container.last_words()).strip()
    return seen if code == 0 else f"{seen}: {reason[:200]}"


def check_encodings(rehearsal: Rehearsal) -> None:
    """Train with JSON-quoted hyperparameters and the platform's own, as an unknown user; tell them apart."""
    report = rehearsal.report
    quoted = {name: json.dumps(text) for name, text in rehearsal.job.hyperparameters.items()}
    is_done, seen = False, ""
    if rehearsal.job.is_open_to_all:
        is_done, seen = _completes(rehearsal, {**quoted, **_PLATFORM_NAMES}, _UNKNOWN_USER)
        seen = f"user 12345: {seen}"
    else:
        report.skip("train.unknown-user", "only you may read the job's files: chmod -R a+rX lets others")
    alone = {
        "train.encodings": (quoted, ()),
        "train.platform-names": (_PLATFORM_NAMES, ()),
        "train.unknown-user": ({}, (_UNKNOWN_USER,)),
    }
    for name in ENCODING_CHECKS if rehearsal.job.is_open_to_all else ENCODING_CHECKS[:2]:
        holds: bool | None = is_done
        if not is_done:
            holds, seen = _completes(rehearsal, alone[name][0], *alone[name][1])
        if name == "train.encodings":
            holds, seen = judge_encodings(quoted, bool(holds), seen)
        report.judge(name, holds, seen)


def judge_encodings(quoted: Mapping[str, str], is_done: bool, seen: str) -> tuple[bool | None, str]:
    """Judge a training with quoted hyperparameters; None when there were none to quote."""
    if is_done and not quoted:
        return None, f"{seen}; but the job has no hyperparameter to quote"
    return is_done, seen


def _completes(rehearsal: Rehearsal, hyperparameters: Mapping[str, str], *options: str) -> tuple[bool, str]:
    instance = rehearsal.new_instance("encodings", hyperparameters=hyperparameters)
    instance.open_to_all()
    began = time.monotonic()
    with rehearsal.training(instance, *options) as container:
        code = container.wait(rehearsal.limits.training)
        seen = describe_end(container, instance, code, time.monotonic() - began)
        lacks_model = rehearsal.base.result().has_model and not files_of(instance.model_dir)
        return code == 0 and not lacks_model, f"{seen}, no model" if code == 0 and lacks_model else seen


def check_refusals(rehearsal: Rehearsal) -> None:
    """Start jobs that cannot run; judge whether each fails soon and says why."""
    job = rehearsal.job
    reasons: dict[str, str] = {}
    ends: dict[str, tuple[int | None, str]] = {}
    channel = job.required_channel
    jobs = {
        "train.missing-channel": rehearsal.new_instance("missing-channel", without=channel),
        "train.empty-channel": rehearsal.new_instance("empty-channel", empty=channel),
    }
    if job.bad_hyperparameters:
        jobs["train.bad-hyperparameter"] = rehearsal.new_instance(
            "bad-hyperparameter", hyperparameters=job.bad_hyperparameters
        )
    else:
        rehearsal.report.skip("train.bad-hyperparameter", "name a bad value with --bad-hyperparameter")
    for name, instance in jobs.items():
        began = time.monotonic()
        with rehearsal.training(instance) as container:
            code = container.wait(rehearsal.limits.refusal)
            ends[name] = code, describe_end(container, instance, code, time.monotonic() - began)
            reasons |= {} if code in {0, None} else {name: instance.failure()}
    completes = rehearsal.base.result().instance is not None
    for name, (code, seen) in ends.items():
        rehearsal.report.judge(name, *judge_refusal(code, seen, completes=completes))
    rehearsal.report.judge("train.failure-file", *judge_reasons(reasons))


def judge_refusal(code: int | None, seen: str, *, completes: bool) -> tuple[bool | None, str]:
    """Judge the end of a job that cannot run.

    Args:
        completes: whether the job without the fault does; an image that fails anyway has refused nothing.
    """
    if code in {0, None}:
        return False, seen
    return (True, seen) if completes else (None, f"{seen}; but the job fails without the fault, too")


def judge_reasons(reasons: Mapping[str, str]) -> tuple[bool | None, str]:
    """Judge the failure files of jobs that failed, by the checks' names; None where no job did."""
    if not reasons:
        return None, "no job failed"
    absent = [name.partition(".")[2] for name, text in reasons.items() if not text.strip()]
    if absent:
        return False, f"no reason for {', '.join(absent)}"
    longest = max(map(len, reasons.values()))
    if longest > MOST_FAILURE:
        return False, f"of {longest} characters, {longest - MOST_FAILURE} are not shown"
    return True, f"a reason each, of {longest} characters at most"
