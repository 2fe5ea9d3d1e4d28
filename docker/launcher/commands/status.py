"""`status JOB`: how a training job stands."""

import dataclasses

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.model import describe_training_job
from launcher.aws.prices import hourly_price
from launcher.command import Command
from launcher.commands import job_report
from launcher.settings.declare import AccountSettings, number_or_unset, text
from launcher.settings.work import JOB_NAME


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusSettings(AccountSettings):
    """What `status` can be told."""

    job: str = text("", "the name of a training job", "The training job.", JOB_NAME)
    hourly_price: float | None = number_or_unset(
        0, 1000, "Price of an instance hour, for the cost; default: asked of AWS' price list."
    )


def run(settings: StatusSettings, account: Account) -> int:
    """Tell how a job stands; return 0 whatever its state.

    Raises:
        UserError: when there is no such job.
    """
    if not settings.job:
        raise UserError("No job is named.", "Give its name: make status JOB=name.")
    job = describe_training_job(settings.job, account)
    price = settings.hourly_price or hourly_price(account, job["ResourceConfig"].get("InstanceType", ""))
    print("\n".join(job_report.lines(job, price)))
    return 0


COMMANDS = (Command("status", "tell how a training job stands", StatusSettings, run, "job"),)
