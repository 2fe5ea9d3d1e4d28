"""`train-spot` and `train`: check everything, upload, request the job, show its log, report the result."""

import contextlib

from botocore.exceptions import ClientError, WaiterError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from launcher import interrupts
from launcher.aws import job_log, training_job
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, code_of, explain, may_be_accepted
from launcher.aws.job_instances import hourly
from launcher.aws.upload import upload
from launcher.checks.job import Job
from launcher.checks.quotas import refuse_for_quota
from launcher.checks.training import check_without_aws, plan
from launcher.command import Command, say
from launcher.commands.sending import choose, send, unknown
from launcher.findings import refuse_failures, say_doubts, table
from launcher.inputs.channels import LocalChannel
from launcher.settings.training import TrainSettings

_MOST_POLLS = 1_000_000  # the job's own time limit ends it


def run_spot(settings: TrainSettings, account: Account) -> int:
    """Train on spot instances; return 0 once the model is there, or with WAIT=false once the job is started."""
    return _run(settings, account, spot=True)


def run_on_demand(settings: TrainSettings, account: Account) -> int:
    """Train on on-demand instances; otherwise as `run_spot`."""
    return _run(settings, account, spot=False)


def _run(settings: TrainSettings, account: Account, *, spot: bool) -> int:
    way = choose(settings.via)
    try:
        held = HeldRequests(account.session) if settings.dry_run else None
        job, findings = plan(settings, account, spot=spot)
    except (ContainerError, *AWS_ERRORS):
        say(f"Without AWS:\n{table(check_without_aws(settings, account, spot=spot))}")
        raise
    refuse_failures(findings)
    say_doubts(findings)
    try:
        if held is None:
            upload_channels(job, account)
        with interrupts.held() as typed:
            _start(job, way, account, typed)
    except KeyboardInterrupt:
        say("Nothing was started; what is uploaded already will not be sent again.")
        raise
    if held is not None:
        print(held)
        return 0
    say(f"started {job.name}; checkpoints: {job.checkpoints.uri}")
    if not settings.wait:
        say(f"its status: make status JOB={job.name}")
        print(job.name)
        return 0
    return _follow(job, account, typed)


def upload_channels(job: Job, account: Account) -> None:
    """Upload the channels that are local files."""
    for channel in job.channels:
        if isinstance(channel, LocalChannel):
            upload(account, channel.contents, job.location_of(channel), job.settings.output_kms_key)


def _start(job: Job, way: str, account: Account, typed: interrupts.Interrupts) -> None:
    try:
        send(way, job.request(role_arn(job.settings.role, account)), account, typed)
    except ClientError as error:
        kind = "spot training" if job.spot else "training"
        refuse_for_quota(error, f"{job.settings.instance_type} for {kind} job usage")
        if code_of(error) == "ResourceInUse" and may_be_accepted(error):
            raise unknown(job.name, "an answer was lost, and now there is a job of that name") from error
        if code_of(error) == "ResourceInUse":
            raise UserError(
                f"There is a job {job.name} already.", "Give another JOB_NAME, or none."
            ) from error
        raise


def _follow(job: Job, account: Account, typed: interrupts.Interrupts) -> int:
    """Show the log until the job ends, then report.

    Raises:
        UserError: when it failed for a reason that is the user's to fix.
        PlatformError: when it failed for another, or was stopped.
    """
    try:
        typed.stop_here()
        _show_log(job, account)
        described = account.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    except (KeyboardInterrupt, *AWS_ERRORS):
        say(f"\nThe job continues without you. Its status: make status JOB={job.name}")
        say(
            f"To stop it and save its model so far: aws sagemaker stop-training-job --training-job-name {job.name}"
        )
        raise
    price = hourly(account, described["ResourceConfig"], job.settings.hourly_price)
    say("\n".join(training_job.lines(described, price)))
    if described["TrainingJobStatus"] == "Completed":
        print(described["ModelArtifacts"]["S3ModelArtifacts"])
        return 0
    reason = training_job.reason_of(described) or "has not completed"
    family = UserError if "UserError" in reason else PlatformError  # the image names its own errors so
    raise family(
        f"{job.name} {reason.rstrip('.')}.",
        f"To resume from its checkpoints: CHECKPOINT_S3_URI={job.checkpoints.uri}",
    )


def _show_log(job: Job, account: Account) -> None:
    try:
        job_log.follow(job.name, account)
    except AWS_ERRORS as error:
        say(f"The log cannot be shown, but the job continues: {explain(error) or error}")
        waiter = account.client("sagemaker").get_waiter("training_job_completed_or_stopped")
        with contextlib.suppress(WaiterError):  # raised for a failed job, which the caller reports
            waiter.wait(TrainingJobName=job.name, WaiterConfig={"Delay": 30, "MaxAttempts": _MOST_POLLS})


COMMANDS = (
    Command("train-spot", "train on spot instances: checks, upload, log, artifact", TrainSettings, run_spot),
    Command("train", "the same on on-demand instances", TrainSettings, run_on_demand),
)
