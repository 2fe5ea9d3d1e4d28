"""A trained model in SageMaker: artifact, image, environment, role."""

import dataclasses
import datetime
import re
from typing import Any

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.aws.training_job import describe
from launcher.command import say
from launcher.settings.account import chosen
from launcher.settings.inference import ModelSettings

_LONGEST_NAME = 63
_STAMP, _STAMP_LENGTH = r"-\d{4}(-\d\d){5}-\d{3}", 24
_FORMER_STAMP, _FORMER_STAMP_LENGTH = r"-\d{4}(-\d\d){5}", 20


@dataclasses.dataclass(frozen=True)
class Model:
    """A model as it will be requested.

    Attributes:
        data: URI of its model.tar.gz.
        environment: of its container.
    """

    settings: ModelSettings
    name: str
    image_uri: str
    data: str
    environment: dict[str, str]

    def request(self, role_arn: str) -> dict[str, Any]:
        """Return its request."""
        settings = self.settings
        container = {"Image": self.image_uri, "ModelDataUrl": self.data, "Environment": self.environment}
        request = {
            "ModelName": self.name,
            "PrimaryContainer": container,
            "ExecutionRoleArn": role_arn,
            "VpcConfig": settings.vpc_config,
            "EnableNetworkIsolation": settings.network_isolation,
            "Tags": settings.tag_list,
        }
        return without_unset(request)


def without_unset(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request without unset fields, so that SageMaker's defaults hold."""
    return {name: value for name, value in request.items() if value not in (None, "", [], {})}


def stamp(name: str) -> str:
    """Return a name with the time appended, so that it is new, of at most 63 characters, as SageMaker takes them.

    The time has milliseconds, as in the SDK's names: what is made within the same second has a name of its own.
    """
    now = datetime.datetime.now()
    return stem(name) + now.strftime("-%Y-%m-%d-%H-%M-%S-") + f"{now.microsecond // 1000:03d}"


def stem(name: str, stamp_length: int = _STAMP_LENGTH) -> str:
    """Return what `stamp` leaves of a name: its first 39 characters."""
    return name[: _LONGEST_NAME - stamp_length].rstrip("-")


def is_stamped(name: str, owner: str) -> bool:
    """Return whether `stamp` makes such a name of the owner's, or made it when it knew no milliseconds."""
    forms = ((_STAMP, _STAMP_LENGTH), (_FORMER_STAMP, _FORMER_STAMP_LENGTH))
    return any(re.fullmatch(re.escape(stem(owner, length)) + form, name) for form, length in forms)


def artifact_of(settings: ModelSettings, account: Account) -> str:
    """Return the URI of the model that the settings name.

    Raises:
        UserError: when they name none or two, or the training job has no model.
    """
    data, job = chosen(settings, "model_data", "job")
    if bool(data) == bool(job):
        raise UserError(
            "Two models are given." if job else "No model is given.",
            "Give MODEL_DATA=s3://…/model.tar.gz, or JOB= and the name of a training job.",
        )
    return data or artifact_of_job(job, account)


def artifact_of_job(name: str, account: Account) -> str:
    """Return the URI of the model of a training job.

    Raises:
        UserError: when there is no such job, or it has no model.
    """
    job = describe(name, account)
    data = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    if job["TrainingJobStatus"] not in ("Completed", "Stopped") or not data:
        raise UserError(
            f"The training job {name} is {job['TrainingJobStatus']} and has no model.",
            f"Check its status: make status JOB={name}.",
        )
    return str(data)


def delete(account: Account, kind: str, name: str) -> None:
    """Delete a model, endpoint config or endpoint; say so, or why it stays.

    Args:
        kind: `model`, `endpoint_config` or `endpoint`, as boto3 spells them.
    """
    parameter = "".join(word.title() for word in kind.split("_")) + "Name"
    try:
        getattr(account.client("sagemaker"), f"delete_{kind}")(**{parameter: name})
    except AWS_ERRORS as error:
        say(f"{kind.replace('_', ' ')} {name} stays: {explain(error) or error}")
    else:
        say(f"{'would remove' if account.is_dry_run else 'removed'} {kind.replace('_', ' ')} {name}")
