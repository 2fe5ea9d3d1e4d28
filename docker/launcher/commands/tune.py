"""`tune`: start a tuning job over the training job of `train`, wait for its trials, and show them."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from launcher import interrupts
from launcher.aws import tuning_job
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, code_of, may_be_accepted
from launcher.aws.job_instances import hourly
from launcher.aws.tuning_request import tuning_request
from launcher.checks.job import Job
from launcher.checks.quotas import refuse_for_quota
from launcher.checks.tuning import check_without_aws, plan, refuse_ranges
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.commands.train import upload_channels
from launcher.findings import refuse_failures, say_doubts, table
from launcher.settings.account import AccountSettings
from launcher.settings.tuning import TuneSettings

_POLL_S = 30.0
_TO_SHOW = {"job", "hourly_price"}


def run(settings: TuneSettings, account: Account) -> int:
    """Tune, or with JOB show a tuning job; return 0 once it is done, or with WAIT=false once it is started.

    Raises:
        ContainerError: when something is wrong, or the tuning job fails or is stopped.
    """
    if settings.job:
        idle = settings.typed - {field.name for field in dataclasses.fields(AccountSettings)} - _TO_SHOW
        refuse_failures(list(check_unused(settings, dict.fromkeys(sorted(idle), "JOB shows a tuning job"))))
        print(_report(tuning_job.describe(settings.job, account), settings, account))
        return 0
    refuse_ranges(settings)
    held = HeldRequests(account.session) if settings.dry_run else None
    job, request, typed = _started(settings, account, is_dry=held is not None)
    if held is not None:
        print(held)
        return 0
    name = request["HyperParameterTuningJobName"]
    say(f"started {name}; checkpoints of its trials: {job.checkpoints.uri}")
    if not settings.wait:
        say(f"its trials: make tune JOB={name}")
        print(name)
        return 0
    return _follow(name, settings, account, typed)


def _started(
    settings: TuneSettings, account: Account, *, is_dry: bool
) -> tuple[Job, dict[str, Any], interrupts.Interrupts]:
    """Check, upload and request; return the job of a trial, the request, and Ctrl-C."""
    try:
        job, findings = plan(settings, account)
    except (ContainerError, *AWS_ERRORS):
        say(f"Without AWS:\n{table(check_without_aws(settings, account))}")
        raise
    refuse_failures(findings)
    say_doubts(findings)
    try:
        if not is_dry:
            upload_channels(job, account)
        request = tuning_request(settings, job.request(role_arn(settings.role, account)))
        with interrupts.held() as typed:
            typed.stop_here()
            _send(request, job, account)
    except KeyboardInterrupt:
        say("Nothing was started; what is uploaded already will not be sent again.")
        raise
    return job, request, typed


def _send(request: Mapping[str, Any], job: Job, account: Account) -> None:
    """Send the request.

    Raises:
        UserError: when there is such a job already, or a quota is in the way.
        PlatformError: when it is not known whether SageMaker has accepted it.
    """
    name = request["HyperParameterTuningJobName"]
    try:
        account.client("sagemaker").create_hyper_parameter_tuning_job(**request)
    except (ReadTimeoutError, ConnectionClosedError) as error:
        raise _unknown(name, "no answer came") from error
    except KeyboardInterrupt:
        raise _unknown(name, "the answer was not waited for") from None
    except ClientError as error:
        kind = "spot training" if job.spot else "training"
        refuse_for_quota(error, f"{job.settings.instance_type} for {kind} job usage")
        if code_of(error) != "ResourceInUse":
            raise
        if may_be_accepted(error):
            raise _unknown(name, "an answer was lost, and now there is a tuning job of that name") from error
        raise UserError(
            f"There is a tuning job {name} already.", "Give another JOB_NAME, or none."
        ) from error


def _unknown(name: str, cause: str) -> PlatformError:
    return PlatformError(f"{name} may have started: {cause}.", f"See its trials: make tune JOB={name}.")


def _follow(name: str, settings: TuneSettings, account: Account, typed: interrupts.Interrupts) -> int:
    """Wait for the end; show the trials, and print the name of the best one.

    Raises:
        UserError: when no trial has a score, and the cause is the user's to fix.
        PlatformError: when it failed otherwise, or was stopped.
    """
    try:
        typed.stop_here()
        job = _wait(name, account)
        report = _report(job, settings, account)
    except (KeyboardInterrupt, *AWS_ERRORS):
        say(f"\nThe tuning job continues without you. Its trials: make tune JOB={name}")
        say(
            "To stop it and its trials: aws sagemaker stop-hyper-parameter-tuning-job"
            f" --hyper-parameter-tuning-job-name {name}"
        )
        raise
    say(report)
    if job["HyperParameterTuningJobStatus"] != "Completed":
        raise _failed(job, account)
    best = tuning_job.best_trial(job)
    say(f"Best: {best.name}. Its score is the best of several on the same validation texts, so expect less on new"
        f" ones; a TEST channel says how much.\nNext: make deploy TUNING_JOB={name} ROLE=…")  # fmt: skip
    print(best.name)
    return 0


def _wait(name: str, account: Account) -> dict[str, Any]:
    shown = ""
    while True:
        job = tuning_job.describe(name, account)
        line = _progress(job)
        if line != shown:
            say(line)
            shown = line
        if job["HyperParameterTuningJobStatus"] in tuning_job.ENDED:
            return job
        time.sleep(_POLL_S)


def _progress(job: Mapping[str, Any]) -> str:
    counts = job.get("TrainingJobStatusCounters", {})
    names = {"completed": "Completed", "running": "InProgress", "stopped": "Stopped"}
    found = [f"{counts[field]} {word}" for word, field in names.items() if counts.get(field)]
    failed = counts.get("RetryableError", 0) + counts.get("NonRetryableError", 0)
    found += [f"{failed} failed"] if failed else []
    best = job.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    found += [f"best {best['MetricName']}={best['Value']:.4f}"] if best else []
    status = f"{job['HyperParameterTuningJobName']}: {job['HyperParameterTuningJobStatus']}"
    return f"{status}: trials {', '.join(found)}" if found else status


def _report(job: Mapping[str, Any], settings: TuneSettings, account: Account) -> str:
    trials = tuning_job.trials_of(job["HyperParameterTuningJobName"], account)
    resources = job.get("TrainingJobDefinition", {}).get("ResourceConfig", {})
    return "\n".join(tuning_job.lines(job, trials, hourly(account, resources, settings.hourly_price)))


def _failed(job: Mapping[str, Any], account: Account) -> ContainerError:
    """Return the error of a tuning job that has not completed: its own reason, or that of its first failed trial."""
    name = job["HyperParameterTuningJobName"]
    failed = [one for one in tuning_job.trials_of(name, account) if one.reason]
    reason = str(job.get("FailureReason") or "").rstrip(".")
    of_trial = f"{failed[0].name}: {failed[0].reason.rstrip('.')}" if failed else ""
    family = UserError if "UserError" in of_trial + reason else PlatformError  # as the image names its own
    cause = "; ".join(filter(None, (reason, of_trial))) or "somebody stopped it"
    return family(
        f"{name} is {job['HyperParameterTuningJobStatus']}: {cause}.",
        "Models of the trials that have a score can be deployed: JOB= and a trial's name.",
    )


COMMANDS = (
    Command(
        "tune", "search hyperparameters: ranges in HP, a table of trials, the best model", TuneSettings, run
    ),
)
