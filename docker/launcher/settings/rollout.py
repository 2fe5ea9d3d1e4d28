"""Settings of `deploy` that say how an update reaches an endpoint, and what is watched there."""

import dataclasses
from typing import Any

from bert_classifier.job.settings import choice, integer
from launcher.settings.fields import listed, share

KINDS = ("keep", "all", "canary", "linear", "rolling")
METRICS = ("keep", "container", "instances", "off")
INTERVALS = ("10", "30", "60", "120", "180", "240", "300")  # seconds that MetricsConfig takes


def max_errors() -> Any:
    """Return a dataclass field for the share of failed requests that raises an alarm."""
    return share(0.05, "Share of requests answered with 5xx above which the alarm is raised.")


def max_p99() -> Any:
    """Return a dataclass field for the latency that raises an alarm."""
    return integer(
        1000,
        1,
        60_000,
        "Milliseconds above which the 99th percentile of the model's latency raises the alarm.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutSettings:
    """How an update replaces what serves, and what CloudWatch and S3 get to see."""

    rollout: str = choice(
        "keep", KINDS,
        "How an update takes over the traffic: all at once, canary (a part, then the rest), linear (step by step), "
        "rolling (instance by instance, few extra ones); keep: as at the last update.",
    )  # fmt: skip
    alarm: tuple[str, ...] = listed(
        "names of alarms in CloudWatch, separated by commas",
        "Alarms that roll an update back; default: two that are made for the new version, 5xx and p99.",
        most=10, longest=255,
    )  # fmt: skip
    rollout_step: int = integer(
        25,
        5,
        50,
        "Percent of the instances: the canary, a step of linear (10 or more), or a batch of rolling.",
    )
    rollout_wait: int = integer(
        300, 0, 3600, "Seconds after each step during which alarms may roll the update back."
    )
    termination_wait: int = integer(120, 0, 3600, "Seconds for which the former instances stay afterwards.")
    rollout_timeout: int | None = integer(
        None, 600, 28_800, "Seconds after which an update is rolled back; default: by its steps and waits."
    )
    max_errors: float = max_errors()
    max_p99: int = max_p99()
    capture: int | None = integer(
        None, 0, 100,
        "Percent of requests whose texts and predictions are stored in S3, below S3_PREFIX/capture; 0 ends it.",
    )  # fmt: skip
    metrics: str = choice(
        "keep", METRICS,
        "What CloudWatch gets beside the usual: container (its own /metrics), instances (also each instance's), "
        "off; keep: what the endpoint has, or SageMaker's default.",
    )  # fmt: skip
    metrics_interval: str = choice("60", INTERVALS, "Seconds between these metrics.")
