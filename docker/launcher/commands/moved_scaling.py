"""Autoscaling across an update to another instance type, which SageMaker refuses while it is registered."""

import contextlib
from collections.abc import Iterator

from botocore.exceptions import ClientError

from launcher.aws import endpoint, scaling
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS, explain, is_denied
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.scaling import Scaling, Wanted
from launcher.checks.deployment import Deployment
from launcher.checks.endpoint import changes_type
from launcher.command import say


@contextlib.contextmanager
def moved_scaling(account: Account, live: LiveEndpoint | None, deployment: Deployment) -> Iterator[None]:
    """End autoscaling before the block, and register it again after it, whether the update succeeds or not.

    If the endpoint is still changing then, a message tells how to register it later.
    """
    now = _registered(account, live, deployment)
    wanted = now.wanted(live.variant["InstanceType"]) if live and now else None
    if now is None or wanted is None:
        yield
        return
    try:
        scaling.remove(account, now)
        yield
    finally:
        _bring_back(account, now, wanted)


def _registered(account: Account, live: LiveEndpoint | None, deployment: Deployment) -> Scaling | None:
    (variant,) = deployment.requests["create_endpoint_config"]["ProductionVariants"]
    if live is None or not changes_type(live, variant):
        return None
    try:
        return scaling.describe(account, deployment.settings.endpoint, variant["VariantName"])
    except ClientError as error:
        if not is_denied(error):
            raise
        return None


def _bring_back(account: Account, former: Scaling, wanted: Wanted) -> None:
    command = _command(former, wanted)
    try:
        found = endpoint.find(account, former.endpoint) or {}
        if not account.is_dry_run and found.get("EndpointStatus") != "InService":
            say(f"{former.endpoint} has no autoscaling until you run, once it is InService: {command}")
            return
        config = account.client("sagemaker").describe_endpoint_config(
            EndpointConfigName=found["EndpointConfigName"]
        )
        scaling.put(account, former, wanted, config["ProductionVariants"][0]["InstanceType"])
    except AWS_ERRORS as error:
        say(f"{former.endpoint} has no autoscaling ({explain(error) or error}): {command}")
    else:
        say(f"autoscaling is registered again: {wanted.least} to {wanted.most} instances")


def _command(former: Scaling, wanted: Wanted) -> str:
    """Return the command that brings the autoscaling back; with equal limits `scale` takes nothing else."""
    command = f"make scale ENDPOINT={former.endpoint} MIN={wanted.least} MAX={wanted.most}"
    if wanted.least == wanted.most:
        return command
    command += (
        f" METRIC={wanted.metric} TARGET={wanted.target:g} SCALE_OUT_COOLDOWN={wanted.scale_out_cooldown}"
        f" SCALE_IN_COOLDOWN={wanted.scale_in_cooldown}"
    )
    by_hand = [*wanted.suspended, *(["DisableScaleIn"] if wanted.no_scale_in else [])]
    return f"{command}; then set {', '.join(by_hand)} by hand, as before" if by_hand else command
