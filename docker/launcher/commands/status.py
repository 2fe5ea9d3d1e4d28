"""`status JOB`: report the status of a training job."""

import dataclasses

from bert_classifier.errors import UserError
from launcher.aws import training_job
from launcher.aws.account import Account
from launcher.aws.prices import hourly_price
from launcher.command import Command
from launcher.settings.account import AccountSettings
from launcher.settings.fields import hourly_price as price_field
from launcher.settings.fields import resource_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusSettings(AccountSettings):
    """The settings of `status`."""

    job: str = resource_name("", 63, "Name of the training job.", "the name of a training job")
    hourly_price: float | None = price_field()


def run(settings: StatusSettings, account: Account) -> int:
    """Print a job's report; return 0 whatever its status.

    Raises:
        UserError: when there is no such job.
    """
    if not settings.job:
        raise UserError("No job is given.", "Give its name: make status JOB=name.")
    job = training_job.describe(settings.job, account)
    price = settings.hourly_price or hourly_price(account, job["ResourceConfig"].get("InstanceType", ""))
    print("\n".join(training_job.lines(job, price)))
    return 0


COMMANDS = (Command("status", "report the status of a training job", StatusSettings, run, "job"),)
