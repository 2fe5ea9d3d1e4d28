"""An endpoint of SageMaker: its configuration, how it comes up, and how it goes away."""

import re
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from bert_classifier.errors import PlatformError, UserError
from launcher.aws import model
from launcher.aws.account import Account
from launcher.aws.refusals import AWS_ERRORS, code_of
from launcher.aws.s3 import Location
from launcher.checks.model_checks import GPU_AMI
from launcher.command import say
from launcher.settings.model import DeploySettings

VARIANT = "AllTraffic"
LAST_LINES = 15
_POLL_S = 10.0
_AT_WORK = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_DELETION_POLLS = 360
_BY_US = r"-\d{4}(-\d\d){5}"  # what `stamp` puts behind the endpoint's name


class StillAtWorkError(PlatformError):
    """The endpoint is neither up nor failed, and nobody waits any longer."""


class FailedError(PlatformError):
    """The endpoint did not come up; `in_use` names the configuration that it has now."""

    def __init__(self, cause: str, remedy: str, in_use: str) -> None:
        super().__init__(cause, remedy)
        self.in_use = in_use


def find(account: Account, name: str) -> dict[str, Any] | None:
    """Return SageMaker's description of an endpoint, or None when there is none."""
    try:
        return dict(account.client("sagemaker").describe_endpoint(EndpointName=name))
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound"):
            return None
        raise


def refuse_if_at_work(found: dict[str, Any]) -> None:
    """Raise when an endpoint cannot be changed now.

    Raises:
        UserError: with what to do.
    """
    name, status = found["EndpointName"], found["EndpointStatus"]
    if status in _AT_WORK:
        raise UserError(f"The endpoint {name} is {status}.", "Wait until that is done.")
    if status != "InService":
        raise UserError(
            f"The endpoint {name} is {status}.", f"Remove it: make delete-endpoint ENDPOINT={name}."
        )


def config_request(settings: DeploySettings, name: str, async_folder: Location) -> dict[str, Any]:
    """Return the request of an endpoint's configuration.

    Args:
        name: of the configuration and of its model.
        async_folder: where an asynchronous endpoint writes.
    """
    variant = {"VariantName": VARIANT, "ModelName": name, **(_serverless(settings) or _instances(settings))}
    request = {
        "EndpointConfigName": name,
        "ProductionVariants": [variant],
        "KmsKeyId": settings.volume_kms_key,
        "Tags": settings.tag_list,
        "AsyncInferenceConfig": _async(settings, async_folder) if settings.mode == "async" else None,
    }
    return model.told(request)


def _serverless(settings: DeploySettings) -> dict[str, Any]:
    if not settings.is_serverless:
        return {}
    return {
        "ServerlessConfig": {
            "MemorySizeInMB": settings.memory_size,
            "MaxConcurrency": settings.max_concurrency,
        }
    }


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
    return model.told(request)


def _async(settings: DeploySettings, folder: Location) -> dict[str, Any]:
    output = {
        "S3OutputPath": folder.below("output").uri,
        "S3FailurePath": folder.below("failures").uri,
        "KmsKeyId": settings.output_kms_key,
    }
    client = model.told({"MaxConcurrentInvocationsPerInstance": settings.async_concurrency})
    return model.told({"OutputConfig": model.told(output), "ClientConfig": client})


def wait_until_up(account: Account, name: str, config: str, seconds: float) -> None:
    """Wait until the endpoint serves with a configuration.

    Args:
        seconds: how long, at most.
    Raises:
        FailedError: with SageMaker's reason; the last lines of the log are shown before.
        StillAtWorkError: when that time is over.
    """
    deadline, told = time.monotonic() + seconds, ""
    while True:
        found = find(account, name) or {}
        status = found.get("EndpointStatus", "")
        if status != told:
            say(f"{name}: {status}")
            told = status
        if status not in _AT_WORK:
            break
        if time.monotonic() > deadline:
            raise StillAtWorkError(
                f"The endpoint {name} is still {status} after {seconds:.0f} s.",
                f"It goes on by itself: aws sagemaker describe-endpoint --endpoint-name {name}.",
            )
        time.sleep(_POLL_S)
    if status != "InService" or found["EndpointConfigName"] != config:
        raise _failure(account, name, found)


def _failure(account: Account, name: str, found: dict[str, Any]) -> FailedError:
    lines = last_lines(account, name)
    if lines:
        say("\n".join(["the last lines of its log:", *(f"  {line}" for line in lines)]))
    reason = str(found.get("FailureReason") or "SageMaker gives no reason").rstrip(".")
    return FailedError(
        f"The endpoint {name} did not come up: {reason}.",
        "What the container itself says stands above."
        if lines
        else f"Its log: /aws/sagemaker/Endpoints/{name}.",
        found.get("EndpointConfigName", ""),
    )


def last_lines(account: Account, name: str) -> list[str]:
    """Return the last lines of an endpoint's log; none where there is no log, or it may not be read."""
    logs, group = account.client("logs"), f"/aws/sagemaker/Endpoints/{name}"
    try:
        streams = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=1
        )["logStreams"]
        if not streams:
            return []
        stream = streams[0]["logStreamName"]
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=LAST_LINES, startFromHead=False
        )["events"]
    except AWS_ERRORS:
        return []
    return [event["message"].rstrip() for event in events]


def parts_of(account: Account, endpoint: str, config: str) -> Callable[[], None]:
    """Look up a configuration and its models now; return what removes them later.

    Only those are removed that are named as `deploy` names what it makes for this endpoint.
    """
    described = account.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    models = [variant["ModelName"] for variant in described["ProductionVariants"] if "ModelName" in variant]

    def remove() -> None:
        for kind, name in (("endpoint_config", config), *(("model", name) for name in models)):
            if re.fullmatch(re.escape(endpoint) + _BY_US, name):
                model.delete(account, kind, name)
            else:
                say(f"{kind.replace('_', ' ')} {name} stays: it was not made by deploy")

    return remove


def wait_until_gone(account: Account, name: str) -> None:
    """Wait until a deleted endpoint is gone.

    Raises:
        PlatformError: when it does not go in half an hour.
    """
    waiter = account.client("sagemaker").get_waiter("endpoint_deleted")
    try:
        waiter.wait(EndpointName=name, WaiterConfig={"Delay": 5, "MaxAttempts": _DELETION_POLLS})
    except WaiterError as error:
        raise PlatformError(
            f"The endpoint {name} is not gone yet.", f"Try again: make delete-endpoint ENDPOINT={name}."
        ) from error
