"""How a training job stands, in words: state, phases, last metrics, seconds, savings, cost."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

_REASON = {
    "MaxRuntimeExceeded": "its time was up (MAX_RUN); with the same CHECKPOINT_S3_URI a new job goes on from there",
    "MaxWaitTimeExceeded": "no spot capacity came in time (MAX_WAIT); try another instance type, region or hour",
    "Interrupted": "its instances were taken back",
    "Stopped": "somebody stopped it",
}

_OF_THE_MODEL = ("validation_", "test_")  # metrics of the weights that are exported, told at a job's end


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a job has used.

    Attributes:
        training_seconds: how long its instances have trained; None before they do.
        billable_seconds: how many of them are paid, for each instance.
        instances: how many instances.
        spot: whether they are spot instances.
    """

    training_seconds: int | None
    billable_seconds: int | None
    instances: int
    spot: bool

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> "Cost":
        """Read a job's description."""
        return cls(
            training_seconds=job.get("TrainingTimeInSeconds"),
            billable_seconds=job.get("BillableTimeInSeconds"),
            instances=job["ResourceConfig"].get("InstanceCount", 1),
            spot=bool(job.get("EnableManagedSpotTraining")),
        )

    @property
    def savings(self) -> float | None:
        """Percent that spot instances saved: (1 − billable / training) · 100, as SageMaker's console counts."""
        if not self.spot or not self.training_seconds or self.billable_seconds is None:
            return None
        return (1 - self.billable_seconds / self.training_seconds) * 100

    def price(self, hourly: float) -> float | None:
        """Return what it costs so far, for instances of this price an hour."""
        if self.billable_seconds is None:
            return None
        return self.billable_seconds / 3600 * hourly * self.instances


def lines(job: Mapping[str, Any], hourly: float | None) -> Iterator[str]:
    """Yield a job's report, line by line.

    Args:
        hourly: price of an instance hour in dollars; None when it is not known.
    """
    yield f"{job['TrainingJobName']}: {job['TrainingJobStatus']} ({job.get('SecondaryStatus', '–')})"
    resources = job["ResourceConfig"]
    spot = " (spot)" if job.get("EnableManagedSpotTraining") else ""
    yield f"  on {resources.get('InstanceCount', 1)} × {resources.get('InstanceType', '?')}{spot}"
    for phase in job.get("SecondaryStatusTransitions", ()):
        yield f"  {_clock(phase['StartTime'])} {phase['Status']}: {phase.get('StatusMessage') or '–'}"
    metrics = {found["MetricName"]: found["Value"] for found in job.get("FinalMetricDataList", ())}
    of_model = {name: value for name, value in metrics.items() if name.startswith(_OF_THE_MODEL)}
    in_training = {name: value for name, value in metrics.items() if name not in of_model}
    if in_training:
        yield f"  {_pairs(in_training)}"
    if of_model:
        yield f"  the model: {_pairs(of_model)}"
    yield f"  {_cost_line(Cost.of(job), hourly)}"
    reason = reason_of(job)
    if reason:
        yield f"  {reason}"


def _pairs(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in metrics.items())


def _clock(moment: datetime | str) -> str:
    return f"{moment:%H:%M:%S}" if isinstance(moment, datetime) else str(moment)


def _cost_line(cost: Cost, hourly: float | None) -> str:
    if cost.billable_seconds is None:
        return "nothing billed so far"
    parts = [f"{cost.billable_seconds} s billed an instance, of {cost.training_seconds or 0} s of training"]
    if cost.savings is not None:
        parts.append(f"spot saves {cost.savings:.0f} %")
    price = cost.price(hourly) if hourly else None
    parts.append(f"about ${price:.2f}" if price is not None else "for the cost give HOURLY_PRICE")
    return "; ".join(parts)


def reason_of(job: Mapping[str, Any]) -> str:
    """Return why a job did not complete; "" when it did, or is not done."""
    if job["TrainingJobStatus"] == "Failed":
        return f"failed: {job.get('FailureReason') or 'no reason given'}"
    if job["TrainingJobStatus"] == "Stopped":
        secondary = job.get("SecondaryStatus", "Stopped")
        return f"stopped: {_REASON.get(secondary, secondary)}"
    return ""
