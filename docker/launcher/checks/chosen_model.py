"""The model that a command is about: a training job, the best of a tuning job, or a version in the Model Registry."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from bert_classifier.errors import UserError
from launcher.aws import tuning_job
from launcher.aws.account import Account
from launcher.aws.ecr import ImageName, registry_host
from launcher.aws.model_package import APPROVED, find, short
from launcher.checks.unused import check_unused
from launcher.findings import Finding, ok, refuse_failures, told, warn
from launcher.settings.account import chosen
from launcher.settings.inference import ModelSettings

BEST = "best"
_NAMES = ("model_data", "job", "tuning_job", "model_package")
_OF_IMAGE = ("image_uri", "image_tag", "repository", "flavour")
S = TypeVar("S", bound=ModelSettings)


def choose(settings: S, account: Account) -> tuple[S, list[Finding]]:
    """Return the settings with MODEL_DATA or JOB in place of TUNING_JOB and MODEL_PACKAGE, and what was chosen.

    A model package brings its image, and its environment unless ENVIRONMENT is given.

    Raises:
        UserError: when two models are given, there is no such model, or it is not approved.
    """
    data, job, search, package = chosen(settings, *_NAMES)
    if package and (data or job or search):
        raise UserError("Two models are given.", "Give MODEL_PACKAGE alone.")
    if package:
        return _of_package(settings, find(account, package, latest_approved=True), account)
    if settings.approved_only == "true" and (data or job or search):
        raise UserError(
            "APPROVED_ONLY=true: a model is served only once it is registered and approved.",
            "Give MODEL_PACKAGE=…; make register and make approve lead there.",
        )
    if not search:
        if job == BEST and not data:
            raise UserError("JOB=best of which tuning job?", "Name it: TUNING_JOB=….")
        return settings, []
    if data:
        raise UserError("Two models are given.", "Give TUNING_JOB or MODEL_DATA.")
    name, findings = _of_search(search, job, account)
    return dataclasses.replace(settings, job=name, tuning_job="", typed=_with(settings, "job")), findings


def job_of(settings: ModelSettings, account: Account) -> str:
    """Return the name of the training job that JOB or TUNING_JOB means.

    Raises:
        UserError: when neither is given, or there is no such job.
    """
    job, search = chosen(settings, "job", "tuning_job")
    if search:
        return _of_search(search, job, account)[0]
    if job in ("", BEST):
        raise UserError("No training job is given.", "Give JOB=, or TUNING_JOB= for the best of its trials.")
    return job


def _of_search(search: str, job: str, account: Account) -> tuple[str, list[Finding]]:
    if job not in ("", BEST):
        if not job.startswith(f"{search}-"):
            raise UserError(f"{job} is no trial of {search}.", "Give TUNING_JOB, or JOB.")
        return job, []
    described = tuning_job.describe(search, account)
    best = tuning_job.best_trial(described)
    metric = described["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"]
    score = f"{best.name}, the best of {search}: {metric}={best.score:.4f}"
    found = [told(ok("model", score))]
    status = described["HyperParameterTuningJobStatus"]
    if status not in tuning_job.ENDED:
        found.append(warn("model", f"{search} is {status}: a later trial may be better"))
    return best.name, found


def _of_package(settings: S, package: Mapping[str, Any], account: Account) -> tuple[S, list[Finding]]:
    name, status = short(package), package.get("ModelApprovalStatus", "–")
    if status != APPROVED and settings.approved_only != "false":
        remedy = f"Approve it: make approve MODEL_PACKAGE={name}; or give APPROVED_ONLY=false."
        raise UserError(f"{name} is not approved, but {status}.", remedy)
    reason = f"{name} names its image"
    refuse_failures(list(check_unused(settings, dict.fromkeys(_OF_IMAGE, reason))))
    containers = package["InferenceSpecification"]["Containers"]
    if len(containers) != 1 or not containers[0].get("ModelDataUrl"):
        raise UserError(
            f"{name} is no single container with a model.tar.gz.", "Register it: make register JOB=…."
        )
    container = containers[0]
    own = tuple(
        (container.get("Environment") or {}).items()
    )  # none, too, takes the place of an endpoint's own
    environment = {} if "environment" in settings.given else {"environment": own}
    changed: dict[str, Any] = {
        "model_data": container["ModelDataUrl"], "job": "", "tuning_job": "", "model_package": "",
        **_image(container["Image"], account), **environment,
    }  # fmt: skip
    given = settings.given | environment.keys()
    chosen_settings = dataclasses.replace(
        settings, **changed, given=given, typed=_with(settings, "model_data")
    )
    return chosen_settings, [told(ok("model", f"{name}, {status}{_remark(package)}"))]


def _image(uri: str, account: Account) -> dict[str, str]:
    """Return the settings of an image: repository and tag where it is in the account's own registry."""
    found = ImageName.of(uri)
    if found and found.tag and uri.startswith(f"{registry_host(account)}/"):
        return {"repository": found.repository, "image_tag": found.tag, "image_uri": ""}
    return {"image_uri": uri}


def _remark(package: Mapping[str, Any]) -> str:
    text = package.get("ApprovalDescription")
    return f" ({text})" if text else ""


def _with(settings: ModelSettings, name: str) -> frozenset[str]:
    """Return the typed settings with one of _NAMES in place of the others."""
    return (settings.typed - set(_NAMES)) | {name}
