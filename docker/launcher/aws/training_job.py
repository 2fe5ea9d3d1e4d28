"""A training job's report: state, phases, last metrics, seconds, savings, cost."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.aws.job_instances import alternatives, in_words

_REASON = {
    "MaxRuntimeExceeded": "its time was up (MAX_RUN); a new job with the same CHECKPOINT_S3_URI resumes it",
    "MaxWaitTimeExceeded": "no spot capacity came in time (MAX_WAIT); try another instance type, region or hour",
    "Interrupted": "its instances were reclaimed",
    "Stopped": "somebody stopped it",
}
_OF_THE_MODEL = ("validation_", "test_")  # metrics of the exported weights, logged at a job's end


def describe(name: str, account: Account) -> dict[str, Any]:
    """Return SageMaker's description of a training job.

    Raises:
        UserError: when there is none of that name.
    """
    try:
        return dict(account.client("sagemaker").describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if code_of(error) in ("ResourceNotFound", "ValidationException"):
            raise UserError(
                f"There is no training job {name} in {account.region}.", "Correct JOB or REGION."
            ) from error
        raise


def lines(job: Mapping[str, Any], hourly: float | None) -> Iterator[str]:
    """Yield a job's report, line by line.

    Args:
        job: as SageMaker describes it.
        hourly: dollars per hour of all instances; None when unknown.
    """
    yield f"{job['TrainingJobName']}: {job['TrainingJobStatus']} ({job.get('SecondaryStatus', '–')})"
    resources = job["ResourceConfig"]
    spot = " (spot)" if job.get("EnableManagedSpotTraining") else ""
    yield f"  on {in_words(resources)}{spot}"
    for phase in job.get("SecondaryStatusTransitions", ()):
        yield f"  {_clock(phase['StartTime'])} {phase['Status']}: {phase.get('StatusMessage') or '–'}"
    metrics = {found["MetricName"]: found["Value"] for found in job.get("FinalMetricDataList", ())}
    of_model = {name: value for name, value in metrics.items() if name.startswith(_OF_THE_MODEL)}
    in_training = {name: value for name, value in metrics.items() if name not in of_model}
    if in_training:
        yield f"  {_pairs(in_training)}"
    if of_model:
        yield f"  the model: {_pairs(of_model)}"
    yield f"  {_cost_line(job, hourly)}"
    reason = reason_of(job)
    if reason:
        yield f"  {reason}"


def _pairs(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in metrics.items())


def _clock(moment: datetime | str) -> str:
    return f"{moment:%H:%M:%S}" if isinstance(moment, datetime) else str(moment)


def _cost_line(job: Mapping[str, Any], hourly: float | None) -> str:
    billable, training = job.get("BillableTimeInSeconds"), job.get("TrainingTimeInSeconds")
    if billable is None:
        return "nothing billed so far"
    parts = [f"{billable} s billed per instance, for {training or 0} s of training"]
    if job.get("EnableManagedSpotTraining") and training:
        parts.append(f"spot saves {(1 - billable / training) * 100:.0f} %")  # as SageMaker's console counts
    if hourly:
        bound = "at most" if len(alternatives(job["ResourceConfig"])) > 1 else "about"
        parts.append(f"{bound} ${billable / 3600 * hourly:.2f}")
    else:
        parts.append("for the cost give HOURLY_PRICE")
    return "; ".join(parts)


def reason_of(job: Mapping[str, Any]) -> str:
    """Return why a job did not complete; "" when it did, or is still running."""
    if job["TrainingJobStatus"] == "Failed":
        return f"failed: {job.get('FailureReason') or 'no reason given'}"
    if job["TrainingJobStatus"] == "Stopped":
        secondary = job.get("SecondaryStatus", "Stopped")
        return f"stopped: {_REASON.get(secondary, secondary)}"
    return ""
