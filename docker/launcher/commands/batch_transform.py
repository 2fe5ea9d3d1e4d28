"""`batch-transform`: classifies files in S3 with instances that live as long as the job."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import PlatformError, UserError
from launcher import interrupts
from launcher.aws.account import Account, role_arn
from launcher.aws.dry_run import HeldRequests
from launcher.aws.model import Model, delete, say_unknown, stamp, told
from launcher.aws.prices import hourly_price
from launcher.aws.refusals import may_be_taken
from launcher.aws.s3 import Location, list_keys
from launcher.aws.upload import upload
from launcher.checks import account_checks, model_checks
from launcher.checks.preflight import doubts, image_uri, prefix_of
from launcher.checks.quotas import refuse_for_quota
from launcher.command import Command, say
from launcher.findings import Finding, examine, fail, refuse_failures, table, warn
from launcher.inputs.transform_input import TransformInput, check_input, input_of
from launcher.settings.model import LONGEST_ANSWER, TransformSettings

_POLL_S = 15.0
_DEFAULT_BODY_MB = 25  # the server's own


@dataclasses.dataclass(frozen=True)
class Transform:
    """A batch transform as it is going to be requested; the model has the job's name.

    Attributes:
        texts: None when they could not be found.
        output: folder of the answers.
    """

    settings: TransformSettings
    model: Model
    texts: TransformInput | None
    output: Location

    def request(self) -> dict[str, Any]:
        """Return the request of the job."""
        settings, texts = self.settings, self.texts
        assert texts is not None, "nothing is requested when the checks have not found the texts"
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": texts.location.uri}}
        output = {
            "S3OutputPath": self.output.uri,
            "Accept": texts.accept(settings),
            "AssembleWith": texts.split_type,
            "KmsKeyId": settings.output_kms_key,
        }
        resources = {
            "InstanceType": settings.instance_type,
            "InstanceCount": settings.instance_count,
            "VolumeKmsKeyId": settings.volume_kms_key,
            "TransformAmiVersion": settings.transform_ami_version,
        }
        request = {
            "TransformJobName": self.model.name,
            "ModelName": self.model.name,
            "MaxConcurrentTransforms": settings.max_concurrent,
            "MaxPayloadInMB": settings.max_payload,
            "BatchStrategy": settings.strategy if texts.split_type == "Line" else None,
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": LONGEST_ANSWER, "InvocationsMaxRetries": 3},
            "TransformInput": {
                "DataSource": source, "ContentType": texts.content_type, "SplitType": texts.split_type,
            },
            "TransformOutput": told(output),
            "TransformResources": told(resources),
            "Tags": settings.tag_list,
        }  # fmt: skip
        return told(request)


def run(settings: TransformSettings, account: Account) -> int:
    """Classify the texts; return 0 once the answers are there, or the job runs and nobody waits for it.

    Raises:
        ContainerError: when something is wrong, or the job fails; its model is removed.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    transform, findings = plan(settings, account)
    refuse_failures(findings)
    if doubts(findings):
        say(table(doubts(findings)))
    texts = transform.texts
    if texts and texts.local and held is None:
        upload(account, texts.local.contents, texts.location, settings.output_kms_key)
    name = transform.model.name
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        made = _create(transform, account, typed, undo)
    if held is not None:
        print(held)
    elif settings.wait:
        _see_through(transform, account, typed, made)
    else:
        _say_it_goes_on(name)
        print(name)
    return 0


def plan(settings: TransformSettings, account: Account) -> tuple[Transform, list[Finding]]:
    """Return the batch transform that settings mean, and what is found about it."""
    data, findings = model_checks.find_artifact(settings, account)
    prefix = prefix_of(settings, account)
    name = settings.job_name or stamp("bert-classifier")
    model = Model(settings, name, image_uri(settings, account), data, environment_of(settings))
    found: list[TransformInput] = []

    def look() -> list[Finding]:
        found.append(input_of(settings, prefix, account))
        return list(check_input(settings, found[0]))

    findings += examine("input", look, "The job needs to know its texts.")
    given = Location.of(settings.output).as_folder() if settings.output else None
    output = given or prefix.below("transform", "output", name)
    transform = Transform(settings, model, found[0] if found else None, output)
    findings += _check_settings(settings, model.environment, account)
    findings += examine("output", lambda: _check_output(transform, account))
    return transform, [*findings, *_check_account(transform, account)]


def _check_output(transform: Transform, account: Account) -> Iterator[Finding]:
    """Yield whether the answers have a folder of their own."""
    texts, output = transform.texts, transform.output
    if texts and output.bucket == texts.location.bucket and output.key.startswith(texts.location.key):
        yield fail("output", f"{output.uri} lies in the folder of the texts", "Give another OUTPUT.")
    there = len(list_keys(account, output)) if transform.settings.output else 0
    if there:
        told = f"{there} object(s) lie there already"
        yield warn("output", told, "Answers of the same name will stand in their place.")


def environment_of(settings: TransformSettings) -> dict[str, str]:
    """Return the container's environment: it takes bodies as large as the job sends them."""
    large = settings.max_payload > _DEFAULT_BODY_MB
    own = {"SAGEMAKER_MAX_PAYLOAD_IN_MB": str(settings.max_payload)} if large else {}
    return {**own, **dict(settings.environment)}


def _check_settings(
    settings: TransformSettings, environment: Mapping[str, str], account: Account
) -> list[Finding]:
    types = account.client("sagemaker").meta.service_model.shape_for("TransformInstanceType").enum
    return [
        *model_checks.check_common(settings, environment),
        *model_checks.check_instance(settings, types, "batch transform"),
    ]


def _check_account(transform: Transform, account: Account) -> list[Finding]:
    settings, model = transform.settings, transform.model
    driver = model_checks.transform_driver(settings)
    reads = [Location.of(model.data)] if model.data else []
    reads += [transform.texts.location] if transform.texts else []
    needs = account_checks.Needs("serving-role.json", reads, [transform.output])
    findings = [
        *examine("image", partial(account_checks.check_image, account, model.image_uri, settings, driver)),
        *examine("role", lambda: account_checks.check_role(account, settings.role, needs)),
    ]
    for bucket in dict.fromkeys(location.bucket for location in (*reads, transform.output)):
        findings += examine("bucket", partial(account_checks.check_bucket, account, bucket))
    return findings


def _create(
    transform: Transform, account: Account, typed: interrupts.Interrupts, undo: contextlib.ExitStack
) -> contextlib.ExitStack:
    """Request model and job; return what removes the model once the job has ended."""
    settings = transform.settings
    account.client("sagemaker").create_model(**transform.model.request(role_arn(settings.role, account)))
    undo.callback(delete, account, "model", transform.model.name)
    typed.stop_here()
    try:
        account.client("sagemaker").create_transform_job(**transform.request())
        return undo.pop_all()  # the job needs it from now on
    except BaseException as error:
        if may_be_taken(error):
            undo.pop_all()
            say_unknown("transform-job", transform.model.name, f"the model {transform.model.name} stays")
        if isinstance(error, ClientError):
            refuse_for_quota(error, f"{settings.instance_type} for transform job usage")
        raise


def _see_through(
    transform: Transform, account: Account, typed: interrupts.Interrupts, made: contextlib.ExitStack
) -> None:
    """Wait for the end; print where the answers lie.

    Args:
        made: removes the model, once the job has ended.
    Raises:
        UserError: when a file was not answered.
        PlatformError: when the job failed otherwise, was stopped, or is not done in time.
    """
    name = transform.model.name
    say(f"started {name}; that takes some minutes")
    try:
        typed.stop_here()
        job = _wait(name, transform.settings.max_minutes * 60, account)
    except BaseException:
        _say_it_goes_on(name)
        raise
    with made:
        _say_cost(job, transform.settings, account)
        _tell(job, transform, account)


def _tell(job: Mapping[str, Any], transform: Transform, account: Account) -> None:
    name = transform.model.name
    if job["TransformJobStatus"] != "Completed":
        reason = str(job.get("FailureReason") or "no reason given").rstrip(".")
        remedy = (
            f"Its log: /aws/sagemaker/TransformJobs, streams {name}/…; answers so far: {transform.output.uri}"
        )
        family = UserError if reason.startswith(("ClientError", "BadRequest")) else PlatformError
        raise family(f"{name} is {job['TransformJobStatus']}: {reason}.", remedy)
    for key in list_keys(account, transform.output):
        say(f"  s3://{transform.output.bucket}/{key}")
    print(transform.output.uri)


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
            raise PlatformError(f"{name} is not done after {seconds / 60:.0f} minutes.", "Raise MAX_MINUTES.")
        time.sleep(_POLL_S)


def _say_it_goes_on(name: str) -> None:
    say(
        f"{name} goes on by itself; how it stands: aws sagemaker describe-transform-job --transform-job-name {name}"
    )
    say(f"to end it: aws sagemaker stop-transform-job --transform-job-name {name}")
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
