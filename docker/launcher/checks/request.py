"""A training job's request, checked against botocore's own model of the API before anything is uploaded."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ServiceModel

from bert_classifier.errors import UserError
from launcher.aws.api_model import mistakes
from launcher.aws.job_instances import alternatives
from launcher.aws.request_fields import read, refuse_extra, wrong_fields
from launcher.aws.training_request import INSTEAD, OPERATION, SETTING_OF, instance_types
from launcher.checks.job import Job
from launcher.checks.workload import check_instance
from launcher.findings import Finding, fail, ok, told, warn
from launcher.settings.training import TrainSettings

SOME_ROLE = "arn:aws:iam::000000000000:role/any"  # where only a name is given: the checks of the account find the role
_CHECKED_BEFORE = ("ResourceConfig.InstanceType",)  # with more words
_NO_SPOT = {"KeepAlivePeriodInSeconds": "warm pools", "InstancePreferences": "a choice of instances"}


def check_request(job: Job, model: ServiceModel) -> Iterator[Finding]:
    """Check the fields of REQUEST, and then the whole request.

    Args:
        model: botocore's, of SageMaker.
    Raises:
        UserError: when the file cannot be read, or its fields cannot join the request.
    """
    role = job.settings.role
    role_arn = role if role.startswith("arn:") else SOME_ROLE
    setting_of = {**SETTING_OF, "EnableManagedSpotTraining": job.settings.chooses_spot}
    refuse_extra(model, OPERATION, job.own_request(role_arn), job.extra, setting_of)
    request = job.request(role_arn)
    for wrong in wrong_fields(model, OPERATION, request, setting_of):
        if not wrong.startswith(_CHECKED_BEFORE):
            yield fail("request", wrong, "Correct it.")
    yield from _check_spot(job, request)
    yield from _doubt_warm_pool(job, request)
    if job.extra:
        yield from _check_types(job, request, model)
        yield told(ok("request", f"{job.settings.request} gives {', '.join(_paths(job.extra))}"))


def with_instances(settings: TrainSettings, model: ServiceModel) -> tuple[TrainSettings, list[str]]:
    """Return the settings with the preferred instances of REQUEST in their place, and the other types that it names.

    Image, batch and cost are judged by them; `check_request` says what is wrong with the file.
    """
    try:
        extra = read(settings.request, [OPERATION]).get(OPERATION, {})
    except UserError:
        return settings, []
    wrong = mistakes(model.operation_model(OPERATION).input_shape, extra, whole=False)
    resources = {} if any(wrong) else extra.get("ResourceConfig", {})
    if not any(resources.get(name) for name in INSTEAD):
        return settings, []
    preferred, *others = alternatives({"InstanceCount": settings.instance_count, **resources})
    types = [name for together in (preferred, *others) for name, _ in together]
    count = sum(number for _, number in preferred)
    return dataclasses.replace(settings, instance_type=types[0], instance_count=count), types[1:]


def _check_spot(job: Job, request: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that spot capacity goes with what REQUEST asks for: API reference, ResourceConfig."""
    for name, what in _NO_SPOT.items() if request.get("EnableManagedSpotTraining") else ():
        if name in request["ResourceConfig"]:
            yield fail(
                "request", f"SageMaker has no spot instances with {what} ({name})", job.settings.on_demand
            )


def _doubt_warm_pool(job: Job, request: Mapping[str, Any]) -> Iterator[Finding]:
    """Warn of instances that stay after the job: they are billed until another job takes them."""
    resources = request["ResourceConfig"]
    if seconds := isinstance(resources, Mapping) and resources.get("KeepAlivePeriodInSeconds"):
        message = f"the job's instances stay up to {seconds} s after it as a warm pool, and are billed"
        yield warn("request", message, f"End it then: make clean-up PREFIX={job.name} CONFIRM=yes.")


def _check_types(job: Job, request: Mapping[str, Any], model: ServiceModel) -> Iterator[Finding]:
    """Check the instance types that REQUEST names as INSTANCE_TYPE is checked."""
    known = model.shape_for("TrainingInstanceType").enum
    for name in instance_types(request):
        if name != job.settings.instance_type:
            yield from check_instance(job.settings.on(name), known, "training")


def _paths(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{path}" for path in _paths(value))
        else:
            yield name
