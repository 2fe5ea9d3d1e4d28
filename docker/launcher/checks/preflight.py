"""Everything that is looked at before a training job costs anything; `doctor` shows it, `train` insists on it."""

import dataclasses
import time
from collections.abc import Sequence
from functools import partial

from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.checks import account_checks, job_checks
from launcher.commands.push import tree_tag
from launcher.findings import Finding, Level, examine
from launcher.inputs.channels import Channel, S3Channel, channels_of
from launcher.settings.idle import check_idle, check_image_settings
from launcher.settings.training import TrainSettings
from launcher.settings.work import WorkSettings

_NAME_THE_CHANNELS = "Without a look at S3_DATA name the channels themselves: TRAIN=s3://…/train/."


@dataclasses.dataclass(frozen=True)
class Job:
    """A training job as it is going to be requested.

    Attributes:
        channels: where its data is now; local ones are uploaded.
        prefix: the folder for what is uploaded and what the job leaves.
    """

    settings: TrainSettings
    spot: bool
    name: str
    image_uri: str
    prefix: Location
    channels: tuple[Channel, ...]

    @property
    def checkpoints(self) -> Location:
        """The folder of its checkpoints, with the slash that keeps run1 from meaning run10."""
        own = self.settings.checkpoint_s3_uri
        return Location.of(own).as_folder() if own else self.prefix.below("checkpoints", self.name)

    @property
    def output(self) -> Location:
        """Where SageMaker makes a folder of the job's name for its results."""
        return self.prefix.below("jobs")

    def place_of(self, channel: Channel) -> Location:
        """Return where a channel is, or is going to be, in S3."""
        if isinstance(channel, S3Channel):
            return channel.location
        return self.prefix.below("data", channel.name, channel.digest)


def plan(settings: TrainSettings, account: Account, *, spot: bool) -> tuple[Job, list[Finding]]:
    """Return the job that settings mean, and what is found about it.

    Raises:
        ContainerError: when not even the account can be asked.
    """
    prefix = prefix_of(settings, account)
    channels, findings = find_channels(settings, account)
    name = settings.job_name or f"{settings.base_job_name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    job = Job(settings, spot, name, image_uri(settings, account), prefix, tuple(channels))
    return job, [*check_settings(job, account), *check_account(job, account), *findings]


def prefix_of(settings: WorkSettings, account: Account) -> Location:
    """Return the folder for what is uploaded and what comes out."""
    default = f"s3://sagemaker-{account.region}-{account.number}/bert-classifier"
    return Location.of(settings.s3_prefix or default).as_folder()


def image_uri(settings: WorkSettings, account: Account) -> str:
    """Return the address of the image: the one given, or the one that `push` has made of these files."""
    if settings.image_uri:
        return settings.image_uri
    host = f"{account.number}.dkr.ecr.{account.region}.{account.dns_suffix}"
    tag = settings.image_tag or tree_tag(settings.image_flavour)
    return f"{host}/{settings.repository}:{tag}"


def check_settings(job: Job, account: Account) -> list[Finding]:
    """Return what is found about a job's settings, which needs no answer of AWS."""
    settings = job.settings
    known = account.client("sagemaker").meta.service_model.shape_for("TrainingInstanceType").enum
    names = [channel.name for channel in job.channels]
    return [
        *check_image_settings(settings),
        *check_idle(settings, {"base_job_name": "JOB_NAME names the job"} if settings.job_name else {}),
        *examine("hyperparameters", lambda: job_checks.check_hyperparameters(settings)),
        *job_checks.check_instance(settings, known),
        *job_checks.check_times(settings, spot=job.spot),
        *job_checks.check_network(settings, names),
        *job_checks.check_tags(settings),
    ]


def check_account(job: Job, account: Account) -> list[Finding]:
    """Return what AWS says about a job's image, role and buckets."""
    given = [channel.location for channel in job.channels if isinstance(channel, S3Channel)]
    locations = [job.prefix, job.checkpoints, *given]
    needs = account_checks.Needs(
        "training-role.json",
        reads=[job.prefix.below("data"), job.checkpoints, *given],
        writes=[job.output, job.checkpoints],
    )
    findings = [
        *examine("image", lambda: account_checks.check_image(account, job.image_uri, job.settings)),
        *examine("role", lambda: account_checks.check_role(account, job.settings.role, needs)),
    ]
    for bucket in dict.fromkeys(location.bucket for location in locations):
        findings += examine("bucket", partial(account_checks.check_bucket, account, bucket))
    return findings


def find_channels(settings: TrainSettings, account: Account) -> tuple[list[Channel], list[Finding]]:
    """Return the job's channels, and what is found about them."""
    channels: list[Channel] = []

    def collect() -> Sequence[Finding]:
        channels.extend(channels_of(settings, account))
        return ()

    findings = examine("data", collect, _NAME_THE_CHANNELS)
    for channel in channels:
        findings += examine(channel.name, channel.findings)
    return channels, findings


def doubts(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that stop nothing but should be known."""
    return [finding for finding in findings if finding.level is Level.WARN]
