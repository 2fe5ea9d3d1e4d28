"""What the launcher has made under a prefix: found by name and by its tag."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore import xform_name

from launcher.aws import endpoint, in_use, scaling
from launcher.aws.account import Account
from launcher.aws.model import is_stamped, stem
from launcher.aws.prices import hourly_price
from launcher.settings.own_tag import has_own

_ALARM_SUFFIXES = ("-5xx", "-p99", "-abstained", "-from-zero")
_PARTS = ("endpoint config", "model")
_MOST_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Found:
    """One thing of the launcher's.

    Attributes:
        detail: what it is or does now.
        hourly: dollars per hour; 0 if it costs nothing, None if unknown.
        remove: removes it.
        parts: names of what it uses, and URIs in S3: while it stays, so do they.
    """

    kind: str
    name: str
    detail: str
    hourly: float | None
    remove: Callable[[], object]
    parts: tuple[str, ...] = ()

    def needs(self, other: "Found") -> bool:
        """Return whether this one uses another, or that has the name of a part of this endpoint."""
        if self.kind == "endpoint" and (other.name == self.name or is_stamped(other.name, self.name)):
            return True
        return any(part == other.name or lies_below(part, other.name) for part in self.parts)


def lies_below(uri: str, folder: str) -> bool:
    """Return whether a URI in S3 is that of a folder, or of something in it."""
    return folder.startswith("s3://") and f"{uri.rstrip('/')}/".startswith(folder)


@dataclasses.dataclass
class Inventory:
    """What there is under a prefix.

    Attributes:
        found: the launcher's, in the order in which it can be removed.
        others: names of what has not the launcher's tag.
        kept: what stays because somebody uses it, each with the user.
    """

    found: list[Found] = dataclasses.field(default_factory=list)
    others: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)

    @property
    def hourly(self) -> float:
        """Dollars per hour of all together, as far as known."""
        return sum(one.hourly or 0 for one in self.found)

    @property
    def shown_others(self) -> str:
        """A few names of others."""
        more = len(self.others) - _MOST_SHOWN
        return ", ".join(self.others[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def take(account: Account, prefix: str) -> Inventory:
    """Return what there is under a prefix: names that are the prefix or begin with it and a hyphen."""
    inventory = Inventory()
    for look in (_jobs, _warm_pools, _endpoints, _configs, _models, _alarms):
        look(account, prefix, inventory)
    if any(one.kind in _PARTS for one in inventory.found):
        _keep_used(account, inventory)
    return inventory


def _keep_used(account: Account, inventory: Inventory) -> None:
    """Take out configurations and models of endpoints that stay, wherever these are in the account."""
    going = [one for one in inventory.found if one.kind == "endpoint"]
    own = {part for one in going for part in one.parts}
    for name, parts in in_use.endpoints(account, {one.name for one in going}):
        for one in [one for one in inventory.found if one.kind in _PARTS]:
            if one.name in parts or (one.name not in own and is_stamped(one.name, name)):
                inventory.found.remove(one)
                inventory.kept.append(f"{one.kind} {one.name} stays: the endpoint {name} needs it")


def matches(name: str, prefix: str) -> bool:
    """Return whether a name is the prefix, begins with it and a hyphen, or is a long prefix cut and stamped."""
    return name == prefix or name.startswith(f"{prefix}-") or is_stamped(name, prefix)


def _listed(account: Account, operation: str, key: str, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
    paginator = account.client("sagemaker").get_paginator(operation)
    for page in paginator.paginate(NameContains=stem(prefix), **more):
        yield from page[key]


def _is_own(account: Account, arn: str) -> bool:
    pages = account.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
    return any(has_own(page["Tags"]) for page in pages)


def _jobs(account: Account, prefix: str, inventory: Inventory) -> None:
    """Find jobs that run; those of a tuning job end with it."""
    for kind, operation, word in (
        ("tuning job", "list_hyper_parameter_tuning_jobs", "HyperParameterTuningJob"),
        ("training job", "list_training_jobs", "TrainingJob"),
        ("transform job", "list_transform_jobs", "TransformJob"),
    ):
        for job in _listed(account, operation, f"{word}Summaries", prefix, StatusEquals="InProgress"):
            name = job[f"{word}Name"]
            if not matches(name, prefix):
                continue
            described = _describe_job(account, word, name)
            if "TuningJobArn" in described:
                continue
            if not _is_own(account, job[f"{word}Arn"]):
                inventory.others.append(name)
                continue
            detail, hourly = _of_job(account, kind, described)
            method = operation.replace("list_", "stop_").removesuffix("s")
            stop = partial(getattr(account.client("sagemaker"), method), **{f"{word}Name": name})
            inventory.found.append(Found(kind, name, detail, hourly, stop))


def _warm_pools(account: Account, prefix: str, inventory: Inventory) -> None:
    """Find instances that have stayed after their jobs, and are billed."""
    update = account.client("sagemaker").update_training_job
    for job in _listed(
        account, "list_training_jobs", "TrainingJobSummaries", prefix, WarmPoolStatusEquals="Available"
    ):
        name = job["TrainingJobName"]
        is_warm = job.get("WarmPoolStatus", {}).get("Status") == "Available"
        if not is_warm or not matches(name, prefix):
            continue
        if not _is_own(account, job["TrainingJobArn"]):
            inventory.others.append(name)
            continue
        detail, hourly = _of_job(account, "training job", _describe_job(account, "TrainingJob", name))
        end = partial(update, TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})
        inventory.found.append(Found("warm pool", name, detail, hourly, end))


def _describe_job(account: Account, word: str, name: str) -> dict[str, Any]:
    describe = getattr(account.client("sagemaker"), xform_name(f"Describe{word}"))
    return dict(describe(**{f"{word}Name": name}))


def _of_job(account: Account, kind: str, job: dict[str, Any]) -> tuple[str, float | None]:
    """Return what a job runs on, and its dollars per hour."""
    if kind == "tuning job":
        definition: dict[str, Any] = (
            job.get("TrainingJobDefinition") or job.get("TrainingJobDefinitions", [{}])[0]
        )
        at_once = job.get("TrainingJobStatusCounters", {}).get("InProgress", 0)
        return _cost(account, definition.get("ResourceConfig", {}), "Training", at_once)
    if kind == "training job":
        return _cost(account, job.get("ResourceConfig", {}), "Training")
    return _cost(account, job.get("TransformResources", {}), "BatchTransform")


def _cost(
    account: Account, resources: dict[str, Any], component: str, times: int = 1
) -> tuple[str, float | None]:
    """Return instances and their dollars per hour, on demand; None if the type or its price is unknown."""
    count, kind = resources.get("InstanceCount", 1) * times, resources.get("InstanceType", "")
    if not count:
        return f"runs on 0 × {kind or '?'}", 0.0
    price = hourly_price(account, kind, component) if kind else None
    return f"runs on {count} × {kind or '?'}", None if price is None else price * count


def _endpoints(account: Account, prefix: str, inventory: Inventory) -> None:
    for summary in _listed(account, "list_endpoints", "Endpoints", prefix):
        name = summary["EndpointName"]
        if not matches(name, prefix):
            continue
        found = endpoint.find(account, name)
        if found is None:
            continue
        if _is_own(account, summary["EndpointArn"]):
            _endpoint(account, name, found, inventory)
        else:
            inventory.others.append(name)


def _endpoint(account: Account, name: str, found: dict[str, Any], inventory: Inventory) -> None:
    client = account.client("sagemaker")
    config = client.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    variant = config["ProductionVariants"][0]
    summary: dict[str, Any] = next(iter(found.get("ProductionVariants", ())), {})
    hourly: float | None
    if "ServerlessConfig" in variant:
        detail, hourly = "serverless", 0.0
    else:
        count = summary.get("CurrentInstanceCount", variant.get("InitialInstanceCount", 0))
        instances = {"InstanceType": variant["InstanceType"], "InstanceCount": count}
        detail, hourly = _cost(account, instances, "Hosting")
    detail = f"{found['EndpointStatus']}, {detail}"
    parts = in_use.of_endpoint(account, found)
    delete = partial(_delete_endpoint, account, name)
    inventory.found.append(Found("endpoint", name, detail, hourly, delete, parts))
    now = scaling.describe(account, name, variant["VariantName"])
    if now.target:
        detail = f"{now.target['MinCapacity']} to {now.target['MaxCapacity']} instances"
        inventory.found.append(Found("autoscaling", name, detail, 0, partial(scaling.remove, account, now)))


def _delete_endpoint(account: Account, name: str) -> None:
    account.client("sagemaker").delete_endpoint(EndpointName=name)
    if not account.is_dry_run:
        endpoint.wait_until_gone(account, name)


def _configs(account: Account, prefix: str, inventory: Inventory) -> None:
    delete = account.client("sagemaker").delete_endpoint_config
    for one in _listed(account, "list_endpoint_configs", "EndpointConfigs", prefix):
        _add(account, prefix, inventory, "endpoint config", one, "EndpointConfig", delete)


def _models(account: Account, prefix: str, inventory: Inventory) -> None:
    delete = account.client("sagemaker").delete_model
    for one in _listed(account, "list_models", "Models", prefix):
        _add(account, prefix, inventory, "model", one, "Model", delete)


def _add(
    account: Account, prefix: str, inventory: Inventory, kind: str, one: dict[str, Any], word: str,
    delete: Callable[..., object],
) -> None:  # fmt: skip
    name = one[f"{word}Name"]
    if not matches(name, prefix):
        return
    if _is_own(account, one[f"{word}Arn"]):
        inventory.found.append(Found(kind, name, "", 0, partial(delete, **{f"{word}Name": name})))
    else:
        inventory.others.append(name)


def _alarms(account: Account, prefix: str, inventory: Inventory) -> None:
    client = account.client("cloudwatch")
    for page in client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix):
        for alarm in page.get("MetricAlarms", ()):
            name = alarm["AlarmName"]
            if not matches(name, prefix) or not name.endswith(_ALARM_SUFFIXES):
                continue
            if has_own(client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]):
                remove = partial(client.delete_alarms, AlarmNames=[name])
                inventory.found.append(Found("alarm", name, alarm["StateValue"], 0, remove))
            else:
                inventory.others.append(name)
