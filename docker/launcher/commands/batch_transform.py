"""`batch-transform`: classify files in S3, on instances that run only for the job."""

import contextlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.temporary_files import temporary_files
from launcher import interrupts
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.model import delete
from launcher.aws.prices import hourly_price
from launcher.aws.s3 import list_keys
from launcher.aws.upload import upload
from launcher.checks.transform import Transform, plan
from launcher.command import Command, say
from launcher.commands.last_request import last_request
from launcher.findings import refuse_failures, say_doubts
from launcher.settings.inference import TransformSettings

_POLL_S = 15.0


def run(settings: TransformSettings, account: Account) -> int:
    """Classify the texts; return 0 once the predictions are there, or with WAIT=false once it is started.

    Raises:
        ContainerError: when something is wrong, or the job fails; its model is removed.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    transform = _uploaded(settings, account)
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        created = _create(transform, account, typed, undo)
    if held is not None:
        print(held)
    elif settings.wait:
        _follow(transform, account, typed, created)
    else:
        _say_it_continues(transform.model.name)
        print(transform.model.name)
    return 0


def _uploaded(settings: TransformSettings, account: Account) -> Transform:
    """Return the batch transform, once its checks have passed and its texts are in S3."""
    with contextlib.ExitStack() as stack:
        with temporary_files():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        transform, findings = plan(settings, account, folder)
        refuse_failures(findings)
        say_doubts(findings)
        texts = transform.texts
        if texts and texts.local and not settings.dry_run:
            upload(account, texts.local.contents, texts.location, settings.output_kms_key)
        return transform


def _create(
    transform: Transform, account: Account, typed: interrupts.Interrupts, undo: contextlib.ExitStack
) -> contextlib.ExitStack:
    """Request model and job; return what removes the model once the job has ended."""
    settings, name = transform.settings, transform.model.name
    account.client("sagemaker").create_model(**transform.model.request(role_arn(settings.role, account)))
    undo.callback(delete, account, "model", name)
    typed.stop_here()
    stays = f"the model {name} stays"
    with last_request(
        undo, "transform-job", name, stays, f"{settings.instance_type} for transform job usage"
    ):
        account.client("sagemaker").create_transform_job(**transform.request())
        return undo.pop_all()  # the job needs it from now on


def _follow(
    transform: Transform, account: Account, typed: interrupts.Interrupts, created: contextlib.ExitStack
) -> None:
    """Wait for the end; print where the predictions are.

    Args:
        created: removes the model, once the job has ended.
    Raises:
        UserError: when the server refused a file.
        PlatformError: when the job failed otherwise, was stopped, or took too long.
    """
    name = transform.model.name
    say(f"started {name}; this takes some minutes")
    try:
        typed.stop_here()
        job = _wait(name, transform.settings.max_minutes * 60, account)
    except BaseException:
        _say_it_continues(name)
        raise
    with created:
        _say_cost(job, transform.settings, account)
        _report(job, transform, account)


def _wait(name: str, seconds: float, account: Account) -> dict[str, Any]:
    deadline, shown = time.monotonic() + seconds, ""
    while True:
        job = dict(account.client("sagemaker").describe_transform_job(TransformJobName=name))
        status = job["TransformJobStatus"]
        if status != shown:
            say(f"{name}: {status}")
            shown = status
        if status not in ("InProgress", "Stopping"):
            return job
        if time.monotonic() > deadline:
            raise PlatformError(
                f"{name} is still running after {seconds / 60:.0f} minutes.", "Raise MAX_MINUTES."
            )
        time.sleep(_POLL_S)


def _report(job: Mapping[str, Any], transform: Transform, account: Account) -> None:
    name, output = transform.model.name, transform.output
    if job["TransformJobStatus"] != "Completed":
        reason = str(job.get("FailureReason") or "no reason given").rstrip(".")
        family = UserError if reason.startswith(("ClientError", "BadRequest")) else PlatformError
        raise family(
            f"{name} is {job['TransformJobStatus']}: {reason}.",
            f"Its log: /aws/sagemaker/TransformJobs, streams {name}/…; predictions so far: {output.uri}",
        )
    for key in list_keys(account, output):
        say(f"  s3://{output.bucket}/{key}")
    print(output.uri)


def _say_it_continues(name: str) -> None:
    say(f"{name} continues without you; its status: "
        f"aws sagemaker describe-transform-job --transform-job-name {name}")  # fmt: skip
    say(f"to stop it: aws sagemaker stop-transform-job --transform-job-name {name}")
    say(f"its model stays: aws sagemaker delete-model --model-name {name}")


def _say_cost(job: Mapping[str, Any], settings: TransformSettings, account: Account) -> None:
    begin, end = job.get("TransformStartTime"), job.get("TransformEndTime")
    if not begin or not end:
        return
    seconds = (end - begin).total_seconds()
    price = settings.hourly_price or hourly_price(account, settings.instance_type, "BatchTransform")
    cost = f"; about ${seconds / 3600 * price * settings.instance_count:.2f}" if price else ""
    say(f"{seconds:.0f} s on {settings.instance_count} × {settings.instance_type}{cost}")


COMMANDS = (
    Command("batch-transform", "classify whole files, without an endpoint", TransformSettings, run, "input"),
)
