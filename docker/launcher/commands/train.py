"""`train-spot` and `train`: check everything, upload, request the job, show its log, tell what came out."""

import contextlib

from botocore.exceptions import ClientError, WaiterError

from bert_classifier.errors import PlatformError, UserError
from launcher import interrupts
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.prices import hourly_price
from launcher.aws.refusals import AWS_ERRORS, code_of, explain, may_be_taken
from launcher.aws.upload import upload
from launcher.checks.preflight import Job, doubts, plan
from launcher.checks.quotas import refuse_for_quota
from launcher.command import Command, say
from launcher.commands import job_report
from launcher.findings import refuse_failures, table
from launcher.inputs.channels import LocalChannel
from launcher.settings.training import TrainSettings

_MOST_POLLS = 1_000_000  # a job's own times bound it


def run_spot(settings: TrainSettings, account: Account) -> int:
    """Train on spot instances; return 0 once the model is there, or the job runs and nobody waits for it."""
    return _run(settings, account, spot=True)


def run_on_demand(settings: TrainSettings, account: Account) -> int:
    """Train on instances at full price, which are not taken back; else as `run_spot`."""
    return _run(settings, account, spot=False)


def _run(settings: TrainSettings, account: Account, *, spot: bool) -> int:
    held = HeldRequests(account.session) if settings.dry_run else None
    job, findings = plan(settings, account, spot=spot)
    refuse_failures(findings)
    if doubts(findings):
        say(table(doubts(findings)))
    try:
        if held is None:
            _upload(job, account)
        with interrupts.held() as typed:
            _start(job, account, typed)
    except KeyboardInterrupt:
        say("Nothing was started; what is uploaded already is not sent again.")
        raise
    if held is not None:
        print(held)
        return 0
    say(f"started {job.name}; checkpoints: {job.checkpoints.uri}")
    if not settings.wait:
        say(f"how it stands: make status JOB={job.name}")
        print(job.name)
        return 0
    return _see_through(job, account, typed)


def _upload(job: Job, account: Account) -> None:
    for channel in job.channels:
        if isinstance(channel, LocalChannel):
            upload(account, channel.contents, job.place_of(channel), job.settings.output_kms_key)


def _start(job: Job, account: Account, typed: interrupts.Interrupts) -> None:
    # The SDK takes seconds to import, and a wrong setting should not wait for it.
    from launcher.aws import estimator

    try:
        estimator.start(job, role_arn(job.settings.role, account), account, typed)
    except ClientError as error:
        refuse_for_quota(
            error, f"{job.settings.instance_type} for {'spot ' if job.spot else ''}training job usage"
        )
        if code_of(error) == "ResourceInUse" and may_be_taken(error):
            told = "an answer was lost, and now there is a job of that name"
            raise estimator.unknown(job.name, told) from error
        if code_of(error) == "ResourceInUse":
            raise UserError(
                f"There is a job {job.name} already.", "Give another JOB_NAME, or none."
            ) from error
        raise


def _see_through(job: Job, account: Account, typed: interrupts.Interrupts) -> int:
    """Show the log until the job ends; tell the outcome.

    Raises:
        UserError: when it failed for a reason that is the user's to mend.
        PlatformError: when it failed for another, or was stopped.
    """
    try:
        typed.stop_here()
        _follow(job, account)
        described = account.client("sagemaker").describe_training_job(TrainingJobName=job.name)
    except (KeyboardInterrupt, *AWS_ERRORS):
        say(f"\nThe job goes on without you. How it stands: make status JOB={job.name}")
        say(
            f"To end it, with its model so far saved: aws sagemaker stop-training-job --training-job-name {job.name}"
        )
        raise
    price = job.settings.hourly_price or hourly_price(account, job.settings.instance_type)
    say("\n".join(job_report.lines(described, price)))
    if described["TrainingJobStatus"] == "Completed":
        print(described["ModelArtifacts"]["S3ModelArtifacts"])
        return 0
    raise _outcome(job, job_report.reason_of(described))


def _follow(job: Job, account: Account) -> None:
    from launcher.aws import estimator

    try:
        estimator.follow(job.name, account)
    except AWS_ERRORS as error:
        say(f"The log cannot be shown, the job goes on: {explain(error) or error}")
        waiter = account.client("sagemaker").get_waiter("training_job_completed_or_stopped")
        with contextlib.suppress(WaiterError):  # which it raises for a failure, told below
            waiter.wait(TrainingJobName=job.name, WaiterConfig={"Delay": 30, "MaxAttempts": _MOST_POLLS})


def _outcome(job: Job, reason: str) -> UserError | PlatformError:
    """Return the error that a job's end is: with the family that the image itself gave its failure, if it did."""
    again = f"To go on from its checkpoints: CHECKPOINT_S3_URI={job.checkpoints.uri}"
    family = UserError if "UserError" in reason else PlatformError
    return family(f"{job.name} {reason or 'has not completed'}".rstrip(".") + ".", again)


COMMANDS = (
    Command("train-spot", "train on spot instances: checks, upload, log, artifact", TrainSettings, run_spot),
    Command("train", "the same on instances at full price", TrainSettings, run_on_demand),
)
