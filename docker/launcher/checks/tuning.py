"""Everything that is checked before a tuning job costs money: the training job, and how it is varied."""

import dataclasses
import time
from collections.abc import Iterator, Sequence

from botocore.model import ServiceModel

from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.findings import Severity
from bert_classifier.job.task import Task
from launcher.aws.account import Account
from launcher.aws.job_instances import alternatives, hourly
from launcher.aws.job_instances import in_words as in_words_of
from launcher.aws.request_fields import wrong_fields
from launcher.aws.tuning_request import ELSEWHERE, OPERATION, tuning_request
from launcher.checks import training
from launcher.checks.job import Job
from launcher.checks.request import SOME_ROLE
from launcher.checks.unused import check_unused
from launcher.findings import Finding, fail, ok, told
from launcher.inputs.table import task_of
from launcher.settings.ranges import in_words, trials_to_check
from launcher.settings.tuning import GRID, OF_SEVERAL_LABELS, TuneSettings

_EXAMPLE = 'Such as HP="learning_rate=1e-5..4e-4:log num_train_epochs=2..6 pooling=cls|mean".'
_SEVERAL_MODELS = ("seeds", "cross_validation")
_STAMP = "%y%m%d-%H%M%S"  # a tuning job's name is short


def plan(settings: TuneSettings, account: Account) -> tuple[Job, list[Finding]]:
    """Return the training job of the first trial, under the name of the tuning job, and all findings.

    Raises:
        ContainerError: when not even the account can be looked up.
    """
    refuse_ranges(settings)
    job, findings = training.plan(first_trial(settings), account, spot=settings.spot)
    channels = [channel.name for channel in job.channels]
    model = account.client("sagemaker").meta.service_model
    if not any(one.subject == "request" and one.severity is Severity.ERROR for one in findings):
        findings += [*check_request(settings, job, model), *check_cost(settings, job, account)]
    of_trials = list(check_trials(settings))
    return job, [
        *(one for one in findings if not _is_said_by(one, of_trials)),
        *check_unused(settings, {"via": "boto3 sends a tuning job"}),
        *of_trials,
        *check_seed(settings, has_validation="validation" in channels),
        *check_limits(settings),
        *check_objective(settings, task_of(job.channels, job.settings)),
    ]


def check_without_aws(settings: TuneSettings, account: Account) -> list[Finding]:
    """Check what needs no AWS."""
    found = training.check_without_aws(first_trial(settings), account, spot=settings.spot)
    return [*found, *check_trials(settings), *check_limits(settings), *check_objective(settings)]


def first_trial(settings: TuneSettings) -> TuneSettings:
    """Return the settings of one trial, at the beginning of all ranges."""
    values = {**settings.fixed, **trials_to_check(settings.ranges)[0]}
    name = settings.job_name or f"{settings.base_job_name}-{time.strftime(_STAMP)}"
    return dataclasses.replace(
        settings, hp=tuple(values.items()), job_name=name, typed=settings.typed - {"base_job_name"}
    )


def refuse_ranges(settings: TuneSettings) -> None:
    """Refuse ranges that cannot be read, and a tuning job without any.

    Raises:
        UserError: naming all mistakes.
    """
    if settings.mistakes:
        raise UserError(f"HP: {'; '.join(settings.mistakes)}.", _EXAMPLE)
    if not settings.ranges:
        TrainConfig.from_hyperparameters(
            settings.fixed
        )  # dropout=0.1..0.2 is no range: there is no such setting
        raise UserError("HP has no range, so there is nothing to tune.", _EXAMPLE)


def check_trials(settings: TuneSettings) -> Iterator[Finding]:
    """Check that the job accepts the ends of all ranges together, as it does when it starts."""
    tried = trials_to_check(settings.ranges)
    for trial in tried:
        try:
            TrainConfig.from_hyperparameters({**settings.fixed, **trial})
        except ContainerError as error:
            yield fail(
                "ranges", f"{error.cause.rstrip('.')} (in a trial with {in_words(trial)})", error.remedy
            )
            return
    names = ", ".join(f"{one.name} ({one.kind.lower()})" for one in settings.ranges)
    yield ok("ranges", f"{names}; {len(tried)} combinations of their ends are accepted")


def check_seed(settings: TuneSettings, *, has_validation: bool) -> Iterator[Finding]:
    """Refuse to tune a seed that decides which texts are held out."""
    if not has_validation and any(one.name == "seed" for one in settings.ranges):
        yield fail(
            "ranges", "seed decides which texts are held out, so the trials' scores could not be compared",
            "Give VALIDATION=…, or leave seed out.",
        )  # fmt: skip


def check_limits(settings: TuneSettings) -> Iterator[Finding]:
    """Check strategy, number of trials and early stopping against each other."""
    if settings.strategy == GRID:
        yield from _check_grid(settings)
    if settings.parallel > settings.num_trials:
        yield fail(
            "trials", f"PARALLEL={settings.parallel} is above the {settings.num_trials} trials", "Lower it."
        )
    repeated = [
        name for name in _SEVERAL_MODELS if name in {*settings.fixed, *(r.name for r in settings.ranges)}
    ]
    if settings.early_stopping and repeated:
        yield fail(
            "early stopping",
            f"with {repeated[0]} each trial trains several models, whose evaluations follow one another in its log",
            f"Leave out EARLY_STOPPING or {repeated[0]}.",
        )


def check_objective(settings: TuneSettings, read: Task | None = None) -> Iterator[Finding]:
    """Refuse a score that no trial logs, as far as hyperparameters or data tell how many labels a text has.

    Args:
        read: the task that the local training files tell.
    """
    task, is_told = _task_by_settings(settings) or read, settings.fixed.get("task") == Task.SINGLE
    if task is Task.MULTI and settings.objective == "accuracy":
        message = "OBJECTIVE=accuracy is for texts with one label each"
        yield fail("objective", message, "Give OBJECTIVE=macro_f1, micro_f1 or subset_accuracy.")
    if task is Task.SINGLE and settings.objective in OF_SEVERAL_LABELS:
        why = "task is single" if is_told else "those of TRAIN have one each"
        message = f"OBJECTIVE={settings.objective} is for texts with several labels, and {why}"
        several = "" if is_told else '; or HP="task=multi", if texts may have several'
        yield fail("objective", message, f"Give OBJECTIVE=macro_f1, accuracy or loss{several}.")


def _task_by_settings(settings: TuneSettings) -> Task | None:
    """Return the task that the hyperparameters tell, or None."""
    told = {name: value for name, value in settings.fixed.items() if value}
    if told.get("task") == Task.MULTI or told.keys() & {"label_separator", "label_columns"}:
        return Task.MULTI
    return Task.SINGLE if told.get("task") == Task.SINGLE else None


def _check_grid(settings: TuneSettings) -> Iterator[Finding]:
    """Check that there are options only; the number of trials follows from them."""
    for one in settings.ranges:
        if one.kind != "Categorical":
            remedy = f"Give its options, such as {one.name}={'|'.join(one.values)}."
            yield fail("strategy", f"Grid takes options only, and {one.name} is a range of numbers", remedy)
    if settings.trials != settings.num_trials:
        yield from check_unused(
            settings, {"trials": f"Grid tries all {settings.num_trials} combinations of the options"}
        )


def _is_said_by(finding: Finding, of_trials: Sequence[Finding]) -> bool:
    """Whether the check of the trials says the same of the first one, and names that trial."""
    message = finding.message.rstrip(".")
    return finding.severity is Severity.ERROR and any(one.message.startswith(message) for one in of_trials)


def check_request(settings: TuneSettings, job: Job, model: ServiceModel) -> Iterator[Finding]:
    """Refuse fields of REQUEST that a training job has, and a tuning job's trials have not.

    Args:
        model: botocore's, of SageMaker.
    """
    lost = [name for name in job.extra if name in ELSEWHERE]
    if lost:
        yield fail("request", f"a tuning job's trials have no {', '.join(lost)}", "Leave it out of REQUEST.")
    request = tuning_request(settings, job.request(SOME_ROLE))
    for wrong in wrong_fields(model, OPERATION, request, {}):
        yield fail("request", f"{wrong}, in a tuning job", "Leave it out of REQUEST, or correct it.")


def check_cost(settings: TuneSettings, job: Job, account: Account) -> Iterator[Finding]:
    """Say what the tuning job costs at most."""
    resources = job.request(SOME_ROLE)["ResourceConfig"]
    most = max(sum(count for _, count in together) for together in alternatives(resources))
    trial_hours = settings.num_trials * settings.max_run / 3600
    hours = trial_hours * most
    price = hourly(account, resources, settings.hourly_price)
    dollars = f", ${trial_hours * price:,.2f} on demand" if price else "; for the cost give HOURLY_PRICE"
    cheaper = " (spot costs less)" if price and settings.spot else ""
    yield told(ok(
        "cost",
        f"{settings.num_trials} trials, {settings.parallel} at a time, of at most MAX_RUN={settings.max_run} s on"
        f" {in_words_of(resources)}: at most {hours:,.1f} instance hours{dollars}{cheaper}",
    ))  # fmt: skip
    yield told(ok("objective", f"{settings.metric}, of the model that a trial keeps"))
