"""What an instance of an endpoint has been seen to do: its busiest minute, and the target that follows from it."""

import dataclasses
import datetime
from typing import Any

from launcher.aws.account import Account
from launcher.settings.instances import has_gpu, num_cpus, num_gpus

DAYS = 7
AIM = 0.6  # of an instance's CPUs or GPUs: it leaves time to start another one
_ENOUGH = 0.1  # busy share below which nothing can be extrapolated
_MOST_PAGES = 5


@dataclasses.dataclass(frozen=True)
class Busiest:
    """The minute with most invocations per instance.

    Attributes:
        share: of the instance's CPUs, or its GPUs, that was busy.
        p99: of the model's latency in milliseconds.
    """

    when: datetime.datetime
    invocations: float
    share: float
    p99: float

    @property
    def target(self) -> int | None:
        """The invocations per minute at which AIM of the instance would be busy; None if it was too idle to tell."""
        return int(self.invocations / self.share * AIM) if self.share >= _ENOUGH else None


def busiest(account: Account, endpoint: str, variant: str, instance_type: str) -> Busiest | None:
    """Return the busiest minute of the last DAYS days; None without one."""
    is_gpu = has_gpu(instance_type)
    name, units = ("GPUUtilization", num_gpus) if is_gpu else ("CPUUtilization", num_cpus)
    queries = [
        _query("invocations", "AWS/SageMaker", "InvocationsPerInstance", "Sum", endpoint, variant),
        _query("p99", "AWS/SageMaker", "ModelLatency", "p99", endpoint, variant),
        _query("busy", "/aws/sagemaker/Endpoints", name, "Average", endpoint, variant),
    ]
    series = _read(account, queries)
    invocations = series.get("invocations", {})
    together = {
        when: value for when, value in invocations.items() if value > 0 and when in series.get("busy", {})
    }
    if not together:
        return None
    when = max(together, key=lambda moment: together[moment])
    share = series["busy"][when] / 100 / units(instance_type)
    return Busiest(when, together[when], share, series.get("p99", {}).get(when, 0.0) / 1000)


def _query(
    id: str, namespace: str, metric: str, statistic: str, endpoint: str, variant: str
) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": 60, "Stat": statistic}}


def _read(account: Account, queries: list[dict[str, Any]]) -> dict[str, dict[datetime.datetime, float]]:
    now = datetime.datetime.now(datetime.UTC)
    pages = account.client("cloudwatch").get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=now - datetime.timedelta(days=DAYS), EndTime=now,
        PaginationConfig={"MaxItems": _MOST_PAGES * 100_800},
    )  # fmt: skip
    series: dict[str, dict[datetime.datetime, float]] = {}
    for page in pages:
        for found in page["MetricDataResults"]:
            values = zip(found["Timestamps"], found["Values"], strict=True)
            series.setdefault(found["Id"], {}).update(values)
    return series
