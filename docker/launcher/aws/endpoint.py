"""An endpoint of SageMaker: its configuration, its start, its removal."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from bert_classifier.errors import PlatformError, UserError
from launcher.aws import model, observation
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS, code_of
from launcher.aws.model import is_stamped, without_unset
from launcher.aws.s3 import Location
from launcher.command import say
from launcher.settings.inference import DeploySettings
from launcher.settings.instances import GPU_AMI

VARIANT = "AllTraffic"
LAST_LINES = 15
_POLL_S = 10.0
_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_DELETION_POLLS = 360


class StillBusyError(PlatformError):
    """The endpoint neither serves nor has failed, and the time to wait is over."""


class FailedError(PlatformError):
    """The endpoint did not come up; `in_use` names the configuration that it has now."""

    def __init__(self, cause: str, remedy: str, in_use: str) -> None:
        super().__init__(cause, remedy)
        self.in_use = in_use


def update_command(name: str, change: str) -> str:
    """Return the command that changes a setting of an endpoint, for a remedy: `deploy` keeps no model and no image.

    Args:
        change: the setting and its value, such as CAPTURE=100.
    """
    model = "or JOB=…: the model is named again, and IMAGE_TAG=… where it is not this folder's"
    return f"make deploy ENDPOINT={name} MODEL_DATA=… {change} ({model})"


def find(account: Account, name: str) -> dict[str, Any] | None:
    """Return SageMaker's description of an endpoint, or None when there is none."""
    try:
        return dict(account.client("sagemaker").describe_endpoint(EndpointName=name))
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound"):
            return None
        raise


def spelled_otherwise(account: Account, name: str) -> str:
    """Return the name of an endpoint that differs from a name by upper and lower case only; "" when there is none."""
    pages = account.client("sagemaker").get_paginator("list_endpoints").paginate()
    names = (summary["EndpointName"] for page in pages for summary in page["Endpoints"])
    return next((one for one in names if one != name and one.lower() == name.lower()), "")


def refuse_if_busy(found: dict[str, Any]) -> None:
    """Raise when an endpoint cannot be changed now.

    Raises:
        UserError: with what to do.
    """
    name, status = found["EndpointName"], found["EndpointStatus"]
    if status in _BUSY:
        raise UserError(f"The endpoint {name} is {status}.", "Wait until that is done.")
    if status != "InService":
        raise UserError(
            f"The endpoint {name} is {status}.", f"Delete it: make delete-endpoint ENDPOINT={name}."
        )


def config_request(
    settings: DeploySettings, name: str, async_folder: Location, capture_folder: Location | None = None
) -> dict[str, Any]:
    """Return the request of an endpoint's configuration.

    Args:
        name: of the configuration and of its model.
        async_folder: where an asynchronous endpoint writes.
        capture_folder: where SageMaker stores requests and answers; None where it does not.
    """
    hosts = _serverless(settings) if settings.is_serverless else _instances(settings)
    return without_unset(
        {
            "EndpointConfigName": name,
            "ProductionVariants": [{"VariantName": VARIANT, "ModelName": name, **hosts}],
            "KmsKeyId": settings.volume_kms_key,
            "Tags": settings.tag_list,
            "AsyncInferenceConfig": _async(settings, async_folder) if settings.mode == "async" else None,
            "DataCaptureConfig": observation.capture(settings, capture_folder) if capture_folder else None,
            "MetricsConfig": observation.metrics(settings),
        }
    )


def _serverless(settings: DeploySettings) -> dict[str, Any]:
    size = {"MemorySizeInMB": settings.memory_size, "MaxConcurrency": settings.max_concurrency}
    return {"ServerlessConfig": size}


def _instances(settings: DeploySettings) -> dict[str, Any]:
    ami = settings.inference_ami_version or (GPU_AMI if settings.wants_gpu and not settings.image_uri else "")
    request = {
        "InitialInstanceCount": settings.instance_count,
        "InstanceType": settings.instance_type,
        "InitialVariantWeight": 1.0,
        "VolumeSizeInGB": settings.volume_size,
        "ModelDataDownloadTimeoutInSeconds": settings.download_timeout,
        "ContainerStartupHealthCheckTimeoutInSeconds": settings.startup_timeout,
        "InferenceAmiVersion": ami,
    }
    return without_unset(request)


def _async(settings: DeploySettings, folder: Location) -> dict[str, Any]:
    output = {
        "S3OutputPath": folder.below("output").uri,
        "S3FailurePath": folder.below("failures").uri,
        "KmsKeyId": settings.output_kms_key,
    }
    client = without_unset({"MaxConcurrentInvocationsPerInstance": settings.async_concurrency})
    return without_unset({"OutputConfig": without_unset(output), "ClientConfig": client})


def wait_until_up(account: Account, name: str, config: str, seconds: float) -> None:
    """Wait until the endpoint serves with a configuration.

    Args:
        seconds: to wait at most.
    Raises:
        FailedError: with SageMaker's reason; the last lines of the log are shown before.
        StillBusyError: when that time is over.
    """
    deadline, shown = time.monotonic() + seconds, ""
    while True:
        found = find(account, name) or {}
        status = found.get("EndpointStatus", "")
        if status != shown:
            say(f"{name}: {status}")
            shown = status
        if status not in _BUSY:
            break
        if time.monotonic() > deadline:
            raise StillBusyError(
                f"The endpoint {name} is still {status} after {seconds:.0f} s.",
                f"It continues without you: aws sagemaker describe-endpoint --endpoint-name {name}.",
            )
        time.sleep(_POLL_S)
    if status != "InService" or found["EndpointConfigName"] != config:
        raise _failure(account, name, found)


def _failure(account: Account, name: str, found: dict[str, Any]) -> FailedError:
    lines = last_lines(account, name)
    if lines:
        say("\n".join(["last lines of its log:", *(f"  {line}" for line in lines)]))
    reason = str(found.get("FailureReason") or "SageMaker gives no reason").rstrip(".")
    remedy = "See the container's log above." if lines else f"Its log: /aws/sagemaker/Endpoints/{name}."
    return FailedError(
        f"The endpoint {name} did not come up: {reason}.", remedy, found.get("EndpointConfigName", "")
    )


def last_lines(account: Account, name: str) -> list[str]:
    """Return the last lines of an endpoint's log; none where there is no log or it may not be read."""
    logs, group = account.client("logs"), f"/aws/sagemaker/Endpoints/{name}"
    try:
        streams = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=1
        )["logStreams"]
        if not streams:
            return []
        events = logs.get_log_events(
            logGroupName=group,
            logStreamName=streams[0]["logStreamName"],
            limit=LAST_LINES,
            startFromHead=False,
        )["events"]
    except AWS_ERRORS:
        return []
    return [event["message"].rstrip() for event in events]


def parts_of(
    account: Account, endpoint: str, config: str, kept: Mapping[str, str] = MappingProxyType({})
) -> Callable[[], None]:
    """Look up a configuration and its models; return a function that removes them later.

    It removes only what has a name that `deploy` gives to parts of this endpoint.

    Args:
        kept: why a configuration or a model stays all the same, by its name.
    """
    described = account.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    models = [variant["ModelName"] for variant in described["ProductionVariants"] if "ModelName" in variant]

    def remove() -> None:
        for kind, name in (("endpoint_config", config), *(("model", name) for name in models)):
            if name in kept:
                say(f"{kind.replace('_', ' ')} {name} stays: {kept[name]}")
            elif is_stamped(name, endpoint):
                model.delete(account, kind, name)
            else:
                say(f"{kind.replace('_', ' ')} {name} stays: it was not created by deploy")

    return remove


def wait_until_gone(account: Account, name: str) -> None:
    """Wait until a deleted endpoint is gone.

    Raises:
        PlatformError: when that takes more than half an hour.
    """
    waiter = account.client("sagemaker").get_waiter("endpoint_deleted")
    try:
        waiter.wait(EndpointName=name, WaiterConfig={"Delay": 5, "MaxAttempts": _DELETION_POLLS})
    except WaiterError as error:
        raise PlatformError(
            f"The endpoint {name} is not gone yet.", f"Try again: make delete-endpoint ENDPOINT={name}."
        ) from error
