"""Training through boto3 alone: no SDK, no telemetry."""

from collections.abc import Mapping
from typing import Any

from launcher.aws.account import Account
from launcher.aws.sdk import configuration_files
from launcher.command import say


def create(fields: Mapping[str, Any], account: Account) -> None:
    """Request the job."""
    for path in configuration_files(account.environ):
        say(
            f"{path} is for the SageMaker SDK, so its defaults do not hold here: boto3 sends what the settings say"
        )
    account.client("sagemaker").create_training_job(**fields)
