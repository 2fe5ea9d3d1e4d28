"""`delete-endpoint`: delete an endpoint, its configuration, model, autoscaling and alarms; the artifact stays.

So does what another endpoint uses.
"""

import dataclasses
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws import endpoint, in_use, scaling
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.command import Command, say
from launcher.commands import watch
from launcher.settings.account import AccountSettings
from launcher.settings.inference import endpoint_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeleteSettings(AccountSettings):
    """The settings of `delete-endpoint`."""

    endpoint: str = endpoint_name("Name of the endpoint.")


def run(settings: DeleteSettings, account: Account) -> int:
    """Delete the endpoint and what the launcher has created for it; return 0 once it is gone.

    Raises:
        UserError: when there is no such endpoint.
    """
    name = settings.endpoint
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, name)
    if found is None:
        raise UserError(f"There is no endpoint {name} in {account.region}.", "Correct ENDPOINT or REGION.")
    config = found["EndpointConfigName"]
    remove_parts = endpoint.parts_of(account, name, config, _in_use(account, found))
    account.client("sagemaker").delete_endpoint(EndpointName=name)
    _end_scaling(account, found)
    if held is None:
        try:
            endpoint.wait_until_gone(account, name)
        except BaseException:
            say(f"{name} is being deleted; its configuration {config} and its model stay")
            raise
        say(f"removed endpoint {name}")
    remove_parts()
    watch.remove(account, name)
    if held is not None:
        print(held)
    return 0


def _in_use(account: Account, found: dict[str, Any]) -> dict[str, str]:
    """Return which parts of an endpoint stay and why: another endpoint has them, or that cannot be seen."""
    own = in_use.of_endpoint(account, found)
    try:
        others = list(in_use.endpoints(account, {found["EndpointName"]}))
    except AWS_ERRORS as error:
        why = f"whether another endpoint uses it cannot be seen ({explain(error) or error})"
        return dict.fromkeys(own, why)
    return {part: f"the endpoint {name} uses it" for name, parts in others for part in parts if part in own}


def _end_scaling(account: Account, found: dict[str, Any]) -> None:
    """End autoscaling, as far as you may; SageMaker would end it, too."""
    try:
        for variant in found.get("ProductionVariants", ())[:1]:
            now = scaling.describe(account, found["EndpointName"], variant["VariantName"])
            if now.target:
                scaling.remove(account, now)
    except AWS_ERRORS as error:
        say(f"its autoscaling, if there is any, is left to SageMaker: {explain(error) or error}")


COMMANDS = (
    Command("delete-endpoint", "delete an endpoint, its configuration and its model", DeleteSettings, run,
            "endpoint"),
)  # fmt: skip
