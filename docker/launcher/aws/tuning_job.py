"""A tuning job: its state, its trials with scores and settings, and the best of them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from bert_classifier.job.settings import unquote
from launcher.aws.account import Account
from launcher.aws.errors import code_of

ENDED = ("Completed", "Failed", "Stopped", "DeleteFailed")
_LONGEST_REASON = 160


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training job of a tuning job.

    Attributes:
        score: final value of the objective; None without one.
        seconds: from start to end; None while it has none.
        settings: the hyperparameters that were tuned, without the quotes that an SDK may have added.
        reason: why it failed; "" otherwise.
    """

    name: str
    status: str
    score: float | None
    seconds: float | None
    settings: dict[str, str]
    reason: str = ""

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> "Trial":
        """Read SageMaker's summary of it."""
        begin, end = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
        score = summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
        tuned = summary.get("TunedHyperParameters", {})
        return cls(
            str(summary["TrainingJobName"]),
            str(summary["TrainingJobStatus"]),
            None if score is None else float(score),
            (end - begin).total_seconds() if begin and end else None,
            {name: unquote(value) or value for name, value in sorted(tuned.items())},
            " ".join(str(summary.get("FailureReason", "")).split()),
        )


def describe(name: str, account: Account) -> dict[str, Any]:
    """Return SageMaker's description of a tuning job.

    Raises:
        UserError: when there is none of that name.
    """
    try:
        client = account.client("sagemaker")
        return dict(client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name))
    except ClientError as error:
        if code_of(error) in ("ResourceNotFound", "ValidationException"):
            raise UserError(
                f"There is no tuning job {name} in {account.region}.", "Correct its name, or REGION."
            ) from error
        raise


def trials_of(name: str, account: Account) -> list[Trial]:
    """Return the trials of a tuning job, in the order of their creation."""
    client = account.client("sagemaker")
    pages = client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
    )
    return [Trial.of(found) for page in pages for found in page["TrainingJobSummaries"]]


def best_trial(job: Mapping[str, Any]) -> Trial:
    """Return the best trial of a described tuning job, so far.

    Raises:
        UserError: when no trial has a score yet.
    """
    best = job.get("BestTrainingJob")
    if not best or "FinalHyperParameterTuningJobObjectiveMetric" not in best:
        name = job["HyperParameterTuningJobName"]
        raise UserError(
            f"The tuning job {name} is {job['HyperParameterTuningJobStatus']}, and no trial has a score.",
            f"See its trials: make tune JOB={name}.",
        )
    return Trial.of(best)


def lines(job: Mapping[str, Any], trials: Sequence[Trial], hourly: float | None) -> Iterator[str]:
    """Yield the report of a tuning job: its state, then a row per trial, the best first.

    Args:
        hourly: dollars per hour of all instances of a trial; None when unknown.
    """
    config = job["HyperParameterTuningJobConfig"]
    objective = config["HyperParameterTuningJobObjective"]
    asked = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", "?")
    yield (
        f"{job['HyperParameterTuningJobName']}: {job['HyperParameterTuningJobStatus']},"
        f" {len(trials)} of at most {asked} trials ({config['Strategy']})"
    )
    if job.get("FailureReason"):
        yield f"  {job['FailureReason']}"
    is_loss = objective["Type"] == "Minimize"
    ranked = sorted(trials, key=lambda one: _rank(one, is_loss=is_loss))
    yield from _table(ranked, objective["MetricName"], hourly)
    seconds = sum(one.seconds or 0 for one in trials)
    cost = f", about ${seconds / 3600 * hourly:.2f} on demand" if hourly else ""
    yield f"  {seconds:.0f} s of training in all{cost}; what a spot trial was billed: make status JOB=trial"
    yield from (f"  {one.name}: {one.reason[:_LONGEST_REASON]}" for one in ranked if one.reason)


def _rank(trial: Trial, *, is_loss: bool) -> tuple[bool, float]:
    score = trial.score
    return (score is None, 0.0 if score is None else score if is_loss else -score)


def _table(trials: Sequence[Trial], metric: str, hourly: float | None) -> Iterator[str]:
    names = sorted({name for one in trials for name in one.settings})
    dollars = [*(["$"] if hourly else [])]
    rows = [["trial", "status", metric, "s", *dollars, *names]]
    rows += [_row(one, names, hourly) for one in trials]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(trial: Trial, names: Sequence[str], hourly: float | None) -> list[str]:
    seconds = "–" if trial.seconds is None else f"{trial.seconds:.0f}"
    dollars = f"{(trial.seconds or 0) / 3600 * hourly:.2f}" if hourly else ""
    return [
        trial.name,
        trial.status,
        "–" if trial.score is None else f"{trial.score:.4f}",
        seconds,
        *([dollars] if hourly else []),
        *(_shortened(trial.settings.get(name, "–")) for name in names),
    ]


def _shortened(value: str) -> str:
    """Return a number with four digits; SageMaker draws up to twenty."""
    try:
        return value if value.lstrip("+-").isdigit() else f"{float(value):.4g}"
    except ValueError:
        return value
