"""What SageMaker would refuse of an update: told before a configuration is made for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.findings import Finding, fail

# What UpdateEndpoint cannot do: developer guide, "Update a serverless endpoint"; its own refusal of a configuration
# without AsyncInferenceConfig.
_NO_WAY = {
    ("async", "realtime"): "an asynchronous endpoint stays one",
    ("async", "serverless"): "an asynchronous endpoint stays one",
    ("realtime", "serverless"): "an endpoint with instances becomes no serverless one",
}


def check_mode(live: LiveEndpoint, mode: str) -> Iterator[Finding]:
    """Yield when an endpoint cannot change to a mode."""
    name, reason = live.endpoint["EndpointName"], _NO_WAY.get((live.mode, mode))
    if reason:
        yield fail(
            "mode", f"{name} is MODE={live.mode}, and SageMaker's update cannot make it MODE={mode}: {reason}",
            f"Name another ENDPOINT; or remove this one first: make delete-endpoint ENDPOINT={name}.",
        )  # fmt: skip


def check_scaling(account: Account, live: LiveEndpoint, variant: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield when autoscaling holds on to the instance type that an update would change.

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
        dimension = target["ScalableDimension"]
        yield fail(
            "scaling", f"autoscaling ({target['MinCapacity']} to {target['MaxCapacity']} instances) is registered for"
            f" {resource}, and SageMaker changes no instance type under it",
            "Deregister it, and register it again once the endpoint is updated: aws application-autoscaling "
            f"deregister-scalable-target --service-namespace sagemaker --resource-id {resource} "
            f"--scalable-dimension {dimension}",
        )  # fmt: skip
