"""Settings of `scale`."""

import dataclasses

from bert_classifier.job.settings import boolean, choice, integer, number
from launcher.settings.account import AccountSettings
from launcher.settings.fields import hourly_price
from launcher.settings.inference import endpoint_name

METRICS = ("auto", "invocations", "concurrency", "cpu", "gpu", "backlog")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleSettings(AccountSettings):
    """The settings of `scale`."""

    endpoint: str = endpoint_name("Name of the endpoint.")
    min: int | None = integer(
        None, 0, 1000, "Fewest instances; 0 only for MODE=async; default: as it is, or 1."
    )
    max: int | None = integer(
        None,
        1,
        1000,
        "Most instances; equal to MIN, if both are given: that many, without autoscaling; default: as it is.",
    )
    target: float | None = number(
        None, 0, 999_999,
        "Value of METRIC per instance that is aimed at; default: as it is, 60 for cpu and gpu, 5 for backlog.",
        above=True,
    )  # fmt: skip
    metric: str = choice(
        "auto", METRICS,
        "invocations per minute, concurrency (requests under way), cpu or gpu in percent of the instance, backlog "
        "(async: requests waiting); auto: as it is, else backlog for async endpoints and invocations for others.",
    )  # fmt: skip
    scale_out_cooldown: int = integer(60, 0, 3600, "Seconds between two additions of instances.")
    scale_in_cooldown: int = integer(300, 0, 3600, "Seconds between two removals.")
    off: bool = boolean(False, "End autoscaling; the instances of now stay.")
    hourly_price: float | None = hourly_price()
