"""Updates that SageMaker would refuse: checked before a configuration is created for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.findings import Finding, fail

# Changes that UpdateEndpoint cannot make: developer guide, "Update a serverless endpoint"; its own refusal of a
# configuration without AsyncInferenceConfig.
_NO_WAY = {
    ("async", "realtime"): "an asynchronous endpoint stays asynchronous",
    ("async", "serverless"): "an asynchronous endpoint stays asynchronous",
    ("realtime", "serverless"): "an endpoint with instances cannot become serverless",
}


def check_mode(live: LiveEndpoint, mode: str) -> Iterator[Finding]:
    """Refuse a mode to which the endpoint cannot change."""
    name, reason = live.endpoint["EndpointName"], _NO_WAY.get((live.mode, mode))
    if reason:
        yield fail(
            "mode", f"{name} is MODE={live.mode} and cannot be updated to MODE={mode}: {reason}",
            f"Give another ENDPOINT, or delete this one first: make delete-endpoint ENDPOINT={name}.",
        )  # fmt: skip


def check_scaling(account: Account, live: LiveEndpoint, variant: Mapping[str, Any]) -> Iterator[Finding]:
    """Refuse another instance type while autoscaling is registered.

    Args:
        variant: of the next configuration.
    """
    now = live.variant
    if "InstanceType" not in now or now["InstanceType"] == variant.get("InstanceType"):
        return
    resource = f"endpoint/{live.endpoint['EndpointName']}/variant/{now['VariantName']}"
    answer = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )
    for target in answer["ScalableTargets"]:
        yield fail(
            "scaling", f"autoscaling ({target['MinCapacity']} to {target['MaxCapacity']} instances) is registered for"
            f" {resource}, and SageMaker does not change the instance type meanwhile",
            "Deregister it, and register it again after the update: aws application-autoscaling "
            f"deregister-scalable-target --service-namespace sagemaker --resource-id {resource} "
            f"--scalable-dimension {target['ScalableDimension']}",
        )  # fmt: skip
