"""`register`: make a trained model the next version of a group in the Model Registry, with its quality and origin."""

import contextlib
import hashlib
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from bert_classifier.errors import PlatformError
from launcher import interrupts
from launcher.aws import training_job
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.ecr import image_uri
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.aws.job_outputs import EVALUATION, REPORT, facts_of, read_outputs
from launcher.aws.model import artifact_of_job
from launcher.aws.model_package import find_group
from launcher.aws.package_request import Stored, package_request
from launcher.aws.s3 import Location, prefix_of
from launcher.aws.upload import DigestedFile, upload
from launcher.checks.chosen_model import job_of
from launcher.checks.image import check_image
from launcher.checks.unused import check_image_settings, check_unused
from launcher.checks.whole_requests import check_requests
from launcher.checks.workload import check_tags
from launcher.command import Command, say
from launcher.findings import examine, refuse_failures, say_doubts
from launcher.settings.registry import RegisterSettings

_UNUSED = (
    "role", "instance_count", "subnets", "security_group_ids", "volume_kms_key", "network_isolation", "wait",
    "model_data", "model_package", "approved_only",
)  # fmt: skip


def run(settings: RegisterSettings, account: Account) -> int:
    """Register the model of a training job; print the version's ARN, and return 0.

    Raises:
        ContainerError: when something is wrong; a group that was made for it is removed again.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    refuse_failures(
        list(check_unused(settings, dict.fromkeys(_UNUSED, "a version in the registry has none")))
    )
    name = job_of(settings, account)
    job = training_job.describe(name, account)
    artifact, image = artifact_of_job(name, account), image_uri(settings, account)
    findings = [
        *check_image_settings(settings),
        *check_tags(settings),
        *examine("image", partial(check_image, account, image, settings)),
    ]
    refuse_failures(findings)
    say_doubts(findings)
    found = read_outputs(account, artifact)
    folder = prefix_of(settings, account).below("registry", name)
    stored = _places(found, folder)
    api = account.client("sagemaker").meta.service_model
    request = package_request(
        settings,
        image_uri=image,
        artifact=artifact,
        job=job,
        facts=facts_of(found),
        evaluation=stored[EVALUATION],
        report=stored.get(REPORT),
        types=api.shape_for("ProductionVariantInstanceType").enum,
        transform_types=api.shape_for("TransformInstanceType").enum,
    )
    requests = {"CreateModelPackage": request, "CreateModelPackageGroup": _group_request(settings)}
    refuse_failures(list(check_requests(requests, api)))
    if not settings.dry_run:
        _store(found, stored, settings, account)
    arn = _create(request, settings, account)
    if held is not None:
        print(held)
        return 0
    version = arn.rpartition("/")[2]
    short = f"{settings.model_package_group}:{version}"
    say(f"registered {short}, which waits for a decision: make approve MODEL_PACKAGE={short}, or make reject")
    print(arn)
    return 0


def _places(found: Mapping[str, bytes], folder: Location) -> dict[str, Stored]:
    """Return where evaluation and report will be: in a folder per content, so that a version keeps its own."""
    digests = {
        name: hashlib.sha256(found[name]).hexdigest() for name in (EVALUATION, REPORT) if name in found
    }
    return {name: Stored(folder.below(one[:16]).uri + name, one) for name, one in digests.items()}


def _store(
    found: Mapping[str, bytes], stored: Mapping[str, Stored], settings: RegisterSettings, account: Account
) -> None:
    """Upload evaluation and report to where they will be."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, one in stored.items():
            path = Path(scratch, name)
            path.write_bytes(found[name])
            file = DigestedFile(path, len(found[name]), one.sha256)
            upload(account, {name: file}, Location.of(one.uri.removesuffix(name)), settings.output_kms_key)


def _group_request(settings: RegisterSettings) -> dict[str, Any]:
    """Return the request of the group, if there is none."""
    tags = {"Tags": settings.tag_list} if settings.tags else {}
    return {"ModelPackageGroupName": settings.model_package_group, **tags}


def _create(request: Mapping[str, Any], settings: RegisterSettings, account: Account) -> str:
    """Request the version, and its group if there is none; return the version's ARN."""
    client, group = account.client("sagemaker"), settings.model_package_group
    with contextlib.ExitStack() as undo, interrupts.held() as typed:
        if find_group(account, group) is None:
            typed.stop_here()
            client.create_model_package_group(**_group_request(settings))
            undo.callback(_remove_group, account, group)
        typed.stop_here()
        try:
            arn = str(client.create_model_package(**request).get("ModelPackageArn", ""))
        except (ReadTimeoutError, ConnectionClosedError, KeyboardInterrupt) as error:
            undo.pop_all()
            raise PlatformError(
                f"It is not known whether {group} has a new version: no answer came.",
                f"See its versions: make status MODEL_PACKAGE={group}.",
            ) from error
        undo.pop_all()
    return arn


def _remove_group(account: Account, group: str) -> None:
    try:
        account.client("sagemaker").delete_model_package_group(ModelPackageGroupName=group)
    except AWS_ERRORS as error:
        say(f"the empty model package group {group} stays: {explain(error) or error}")
    else:
        say(f"removed the model package group {group}, which is empty")


COMMANDS = (
    Command("register", "register a trained model: its quality, data and report", RegisterSettings, run),
)
