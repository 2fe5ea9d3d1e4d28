"""Updates that SageMaker would refuse: checked before a configuration is created for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.aws import endpoint, scaling
from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.scaling import Scaling
from launcher.checks.scaling import BURSTABLE
from launcher.findings import Finding, fail, warn
from launcher.settings.instances import family_of, has_gpu

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


def check_name(account: Account, name: str) -> Iterator[Finding]:
    """Refuse a new endpoint's name that another has in other case: API reference, CreateEndpoint, EndpointName."""
    if there := endpoint.spelled_otherwise(account, name):
        yield fail(
            "endpoint", f"there is {there} already, and SageMaker tells names of endpoints not apart by their case",
            f"Give ENDPOINT={there} to update it, or another name.",
        )  # fmt: skip


def changes_type(live: LiveEndpoint, variant: Mapping[str, Any]) -> bool:
    """Return whether the next configuration's variant has instances of another type."""
    now = live.variant.get("InstanceType")
    return bool(now) and now != variant.get("InstanceType")


def check_scaling(
    account: Account, live: LiveEndpoint, variant: Mapping[str, Any], *, waits: bool = True
) -> Iterator[Finding]:
    """Check that autoscaling can end for another instance type, and come back: SageMaker refuses the change meanwhile.

    Args:
        variant: of the next configuration.
        waits: whether the launcher will be there at the update's end.
    """
    if not changes_type(live, variant):
        return
    now = scaling.describe(account, live.endpoint["EndpointName"], live.variant["VariantName"])
    if now.target is None:
        return
    registered = (
        f"autoscaling ({now.target['MinCapacity']} to {now.target['MaxCapacity']} instances) is registered"
    )
    if now.foreign or not now.tracking:
        resource = now.key["ResourceId"]
        yield fail(
            "scaling", f"{registered} for {resource} by another tool than make scale, and SageMaker does not change the"
            " instance type meanwhile",
            "Deregister it, and register it again after the update: aws application-autoscaling "
            f"deregister-scalable-target --service-namespace sagemaker --resource-id {resource} "
            f"--scalable-dimension {scaling.DIMENSION}",
        )  # fmt: skip
    elif family_of(variant["InstanceType"]) in BURSTABLE:
        yield fail(
            "scaling", f"{registered}, and SageMaker does not scale burstable instances ({variant['InstanceType']})",
            f"Give another INSTANCE_TYPE, or end it first: make scale ENDPOINT={now.endpoint} OFF=true.",
        )  # fmt: skip
    elif _by_gpu(now, live) and not has_gpu(variant["InstanceType"]):
        yield fail(
            "scaling", f"{registered} with METRIC=gpu, and {variant['InstanceType']} has no GPU",
            "Give another INSTANCE_TYPE, or first another metric: make scale "
            f"ENDPOINT={now.endpoint} METRIC=cpu.",
        )  # fmt: skip
    elif not waits:
        yield fail(
            "scaling", f"{registered}, which must end for another instance type and come back after it",
            "Leave WAIT=false out, so that deploy can bring it back.",
        )  # fmt: skip
    else:
        yield warn("scaling", f"{registered}: it ends for the new instance type, and comes back when that serves",
                   "Set TARGET anew if it was measured on the former type: make scale shows it.")  # fmt: skip


def _by_gpu(now: Scaling, live: LiveEndpoint) -> bool:
    wanted = now.wanted(live.variant["InstanceType"])
    return wanted is not None and wanted.metric == "gpu"
