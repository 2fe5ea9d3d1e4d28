"""`delete-endpoint`: the endpoint, then its configuration, then its model; the artifact in S3 stays."""

import dataclasses

from bert_classifier.errors import UserError
from launcher.aws import endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.command import Command, say
from launcher.settings.declare import AccountSettings, text
from launcher.settings.model import DEFAULT_ENDPOINT, ENDPOINT_NAME


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeleteSettings(AccountSettings):
    """What `delete-endpoint` can be told."""

    endpoint: str = text(
        DEFAULT_ENDPOINT, "1 to 43 letters, digits and hyphens", "Name of the endpoint.", ENDPOINT_NAME
    )


def run(settings: DeleteSettings, account: Account) -> int:
    """Delete the endpoint with what `deploy` has made for it; return 0 once it is gone.

    Raises:
        UserError: when there is no such endpoint.
    """
    name = settings.endpoint
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, name)
    if found is None:
        raise UserError(f"There is no endpoint {name} in {account.region}.", "Correct ENDPOINT or REGION.")
    remove_parts = endpoint.parts_of(account, name, found["EndpointConfigName"])
    account.client("sagemaker").delete_endpoint(EndpointName=name)
    if held is None:
        try:
            endpoint.wait_until_gone(account, name)
        except BaseException:
            say(
                f"{name} goes away by itself; its configuration {found['EndpointConfigName']} and its model stay"
            )
            raise
        say(f"removed endpoint {name}")
    remove_parts()
    if held is not None:
        print(held)
    return 0


COMMANDS = (
    Command(
        "delete-endpoint",
        "delete an endpoint, its configuration and its model",
        DeleteSettings,
        run,
        "endpoint",
    ),
)
