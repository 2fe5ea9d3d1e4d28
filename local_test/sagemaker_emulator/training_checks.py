"""A training job on one instance: its inputs, its outputs, and how it fails."""

import json
import time
from collections.abc import Mapping, Sequence

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.engine import Container
from sagemaker_emulator.instance import Instance, artifact_faults, files_of
from sagemaker_emulator.rehearsal import BaseRun, Rehearsal

MOST_FAILURE = 1024  # characters of the failure file that SageMaker shows
ENCODING_CHECKS = ("train.encodings", "train.unknown-user")
REFUSAL_CHECKS = (
    "train.missing-channel", "train.empty-channel", "train.bad-hyperparameter", "train.failure-file",
)  # fmt: skip
BASE_CHECKS = names_of("train", without=(*ENCODING_CHECKS, *REFUSAL_CHECKS))
# What SageMaker withholds in the first run, by the check that fails when the run needs it.
_WITHHELD = {
    "train.read-only-channels": "writable channels",
    "train.no-network": "a network",
    "train.small-shm": "a large /dev/shm",
}
_UNKNOWN_USER = "--user=12345:12345"
_BALLAST = ("optimizer", "scheduler", "checkpoint", ".ckpt", "rng_state", "trainer_state")
_SCRATCH = ("/tmp", "/var/tmp", "/dev", "/run", "/proc", "/sys")  # noqa: S108 - nothing is written there
_MOUNTS = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/checkpoints")


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
    report.judge("train.completes", run.instance is not None, seen)
    if run.instance is None:
        run, written = _with_help(rehearsal, run)
    else:
        for name in _WITHHELD:
            report.judge(name, True, "trained with it")
    if run.instance is None:
        report.skip_rest(BASE_CHECKS, "the job did not complete")
        return run
    _judge_results(rehearsal, run, run.instance, written)
    return run


def _train(rehearsal: Rehearsal, granted: Sequence[str] = ()) -> tuple[BaseRun, list[str], str]:
    """Train; return the run, what it wrote outside its mounts, and what was seen.

    Args:
        granted: checks of _WITHHELD whose restriction is lifted.
    """
    instance = rehearsal.new_instance("training")
    shm = "1g" if "train.small-shm" in granted else "64m"
    began = time.monotonic()
    with (
        rehearsal.engine.network(is_open="train.no-network" in granted) as network,
        rehearsal.training(
            instance,
            f"--shm-size={shm}",
            network=network,
            are_channels_writable="train.read-only-channels" in granted,
        ) as container,
    ):
        code = container.wait(rehearsal.limits.training)
        seconds = time.monotonic() - began
        seen = describe_end(container, instance, code, seconds)
        is_done = code == 0 and bool(files_of(instance.model_dir))
        if code == 0 and not is_done:
            seen += ", but /opt/ml/model is empty"
        return BaseRun(instance if is_done else None, seconds, container.log()), container.written(), seen


def _with_help(rehearsal: Rehearsal, failed: BaseRun) -> tuple[BaseRun, list[str]]:
    """Lift the restrictions, all and then one by one, to find the one that the job fails under."""
    run, written, _ = _train(rehearsal, list(_WITHHELD))
    if run.instance is None:
        return failed, []
    for name, help_ in _WITHHELD.items():
        alone, _, _ = _train(rehearsal, [name])
        if alone.instance is not None:
            rehearsal.report.judge(name, False, f"the job completes only with {help_}")
        else:
            rehearsal.report.skip(name, "the job fails for another reason, or for more than one")
    return run, written


def _judge_results(rehearsal: Rehearsal, run: BaseRun, instance: Instance, written: Sequence[str]) -> None:
    report = rehearsal.report
    names = files_of(instance.model_dir)
    faults = artifact_faults(instance.model_dir)
    report.judge("train.artifact", not faults, "; ".join(faults[:4]) or f"{len(names)} regular files")
    ballast = [str(name) for name in names if any(word in str(name).lower() for word in _BALLAST)]
    report.judge("train.ballast", not ballast, ", ".join(ballast[:4]) or "no such file in it")
    stray = strays(written)
    report.judge("train.writes", not stray, ", ".join(stray[:4]) or "nothing elsewhere")
    report.judge("train.log", *_judge_log(run.log))


def strays(written: Sequence[str], mounts: Sequence[str] = _MOUNTS) -> list[str]:
    """Return what a container wrote where it should not; parents of mounts, scratch and bytecode do not count."""
    found = []
    for path in written:
        is_parent = any(mount == path or mount.startswith(f"{path}/") for mount in mounts)
        is_below = path.startswith(tuple(f"{folder}/" for folder in (*_SCRATCH, *mounts))) or path in _SCRATCH
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
    """Train with JSON-quoted hyperparameters and the platform's own, as an unknown user."""
    quoted = {name: json.dumps(text) for name, text in rehearsal.job.hyperparameters.items()}
    extra = {
        "sagemaker_container_log_level": "20",
        "sagemaker_job_name": '"rehearsal"',
        "sagemaker_region": '"us-east-1"',
        "_tuning_objective_metric": "accuracy",
    }
    report = rehearsal.report
    if not rehearsal.job.is_open_to_all:
        report.skip("train.unknown-user", "only you may read the job's files: chmod -R a+rX lets others")
        report.judge("train.encodings", *judge_encodings(quoted, *_completes(rehearsal, {**quoted, **extra})))
        return
    is_done, seen = _completes(rehearsal, {**quoted, **extra}, _UNKNOWN_USER)
    if is_done:
        report.judge("train.encodings", *judge_encodings(quoted, is_done, seen))
        report.judge("train.unknown-user", True, f"user 12345: {seen}")
        return
    report.judge("train.encodings", *judge_encodings(quoted, *_completes(rehearsal, {**quoted, **extra})))
    is_done, seen = _completes(rehearsal, {}, _UNKNOWN_USER)
    report.judge("train.unknown-user", is_done, f"user 12345: {seen}")


def judge_encodings(quoted: Mapping[str, str], is_done: bool, seen: str) -> tuple[bool | None, str]:
    """Judge a training with quoted hyperparameters; None when there were none to quote."""
    if is_done and not quoted:
        return None, f"{seen}, with the platform's own names; but the job has no hyperparameter to quote"
    return is_done, seen


def _completes(rehearsal: Rehearsal, hyperparameters: Mapping[str, str], *options: str) -> tuple[bool, str]:
    instance = rehearsal.new_instance("encodings", hyperparameters=hyperparameters)
    instance.open_to_all()
    began = time.monotonic()
    with rehearsal.training(instance, *options) as container:
        code = container.wait(rehearsal.limits.training)
        seen = describe_end(container, instance, code, time.monotonic() - began)
        has_model = bool(files_of(instance.model_dir))
        return code == 0 and has_model, seen if has_model or code else f"{seen}, no model"


def check_refusals(rehearsal: Rehearsal) -> None:
    """Start jobs that cannot run; judge whether each fails soon and says why."""
    job, reasons = rehearsal.job, {}
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
            reasons[name] = instance.failure()
    completes = rehearsal.base.result().instance is not None
    for name, (code, seen) in ends.items():
        rehearsal.report.judge(name, *judge_refusal(code, seen, completes=completes))
    rehearsal.report.judge("train.failure-file", *_judge_reasons(reasons))


def judge_refusal(code: int | None, seen: str, *, completes: bool) -> tuple[bool | None, str]:
    """Judge the end of a job that cannot run.

    Args:
        completes: whether the job without the fault does; an image that fails anyway has refused nothing.
    """
    if code in {0, None}:
        return False, seen
    return (True, seen) if completes else (None, f"{seen}; but the job fails without the fault, too")


def _judge_reasons(reasons: Mapping[str, str]) -> tuple[bool, str]:
    absent = [name.partition(".")[2] for name, text in reasons.items() if not text.strip()]
    if absent:
        return False, f"no reason for {', '.join(absent)}"
    longest = max(map(len, reasons.values()))
    return longest <= MOST_FAILURE, f"a reason each, of {longest} characters at most"
