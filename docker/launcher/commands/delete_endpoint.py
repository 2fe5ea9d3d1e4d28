"""`delete-endpoint`: delete an endpoint, its configuration and its model; the artifact in S3 stays."""

import dataclasses

from bert_classifier.errors import UserError
from launcher.aws import endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.command import Command, say
from launcher.settings.account import AccountSettings
from launcher.settings.inference import endpoint_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeleteSettings(AccountSettings):
    """The settings of `delete-endpoint`."""

    endpoint: str = endpoint_name("Name of the endpoint.")


def run(settings: DeleteSettings, account: Account) -> int:
    """Delete the endpoint and what `deploy` has created for it; return 0 once it is gone.

    Raises:
        UserError: when there is no such endpoint.
    """
    name = settings.endpoint
    held = HeldRequests(account.session) if settings.dry_run else None
    found = endpoint.find(account, name)
    if found is None:
        raise UserError(f"There is no endpoint {name} in {account.region}.", "Correct ENDPOINT or REGION.")
    config = found["EndpointConfigName"]
    remove_parts = endpoint.parts_of(account, name, config)
    account.client("sagemaker").delete_endpoint(EndpointName=name)
    if held is None:
        try:
            endpoint.wait_until_gone(account, name)
        except BaseException:
            say(f"{name} is being deleted; its configuration {config} and its model stay")
            raise
        say(f"removed endpoint {name}")
    remove_parts()
    if held is not None:
        print(held)
    return 0


COMMANDS = (
    Command("delete-endpoint", "delete an endpoint, its configuration and its model", DeleteSettings, run,
            "endpoint"),
)  # fmt: skip
