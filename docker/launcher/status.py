"""`status JOB`: how a training job stands."""

import dataclasses

from launcher.account import Account
from launcher.commands import Command, say
from launcher.settings import AccountSettings, text

JOB_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusSettings(AccountSettings):
    """What `status` can be told."""

    job: str = text("", "the name of a training job", "The training job.", JOB_NAME)


def run(settings: StatusSettings, account: Account) -> int:
    """Tell how a job stands; return 0 whatever its state."""
    job = account.client("sagemaker").describe_training_job(TrainingJobName=settings.job)
    say(f"{job['TrainingJobName']}: {job['TrainingJobStatus']} ({job.get('SecondaryStatus', '')})")
    return 0


COMMANDS = (Command("status", "tell how a training job stands", StatusSettings, run, "job"),)
