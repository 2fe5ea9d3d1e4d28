"""`status`: report the status of a training job, or of versions in the Model Registry."""

import dataclasses
from collections.abc import Iterator

from bert_classifier.errors import UserError
from launcher.aws import model_package as packages
from launcher.aws import training_job
from launcher.aws.account import Account
from launcher.aws.job_instances import hourly
from launcher.checks.unused import check_unused
from launcher.command import Command
from launcher.findings import refuse_failures
from launcher.settings.account import AccountSettings
from launcher.settings.fields import hourly_price as price_field
from launcher.settings.fields import resource_name
from launcher.settings.package_names import group_and_version, model_package


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusSettings(AccountSettings):
    """The settings of `status`."""

    job: str = resource_name("", 63, "Name of the training job.", "the name of a training job")
    model_package: str = model_package("Instead: a version in the Model Registry, or a group of them.")
    hourly_price: float | None = price_field()


def run(settings: StatusSettings, account: Account) -> int:
    """Print the report of a job or of model packages; return 0 whatever the status.

    Raises:
        UserError: when there is no such job or package, or a setting of the other is given.
    """
    if settings.model_package:
        reason = "MODEL_PACKAGE names what to report"
        refuse_failures(list(check_unused(settings, dict.fromkeys(("job", "hourly_price"), reason))))
        print("\n".join(_of_packages(settings.model_package, account)))
        return 0
    if not settings.job:
        raise UserError("No job is given.", "Give its name: make status JOB=name.")
    job = training_job.describe(settings.job, account)
    price = hourly(account, job["ResourceConfig"], settings.hourly_price)
    print("\n".join(training_job.lines(job, price)))
    return 0


def _of_packages(name: str, account: Account) -> Iterator[str]:
    group, version = group_and_version(name)
    if version:
        return packages.lines(packages.find(account, name))
    return packages.group_lines(group, list(packages.versions_of(account, group)))


COMMANDS = (
    Command(
        "status", "report the status of a training job or a registered model", StatusSettings, run, "job"
    ),
)
