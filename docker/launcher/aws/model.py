"""A trained model as SageMaker knows it: artifact, image, environment, role."""

import dataclasses
import time
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.refusals import AWS_ERRORS, code_of, explain
from launcher.command import say
from launcher.settings.declare import chosen
from launcher.settings.model import ModelSettings


@dataclasses.dataclass(frozen=True)
class Model:
    """A model as it is going to be requested.

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
        return told(request)


def told(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request without what is not set: SageMaker's own defaults then hold."""
    return {name: value for name, value in request.items() if value not in (None, "", [], {})}


def stamp(name: str) -> str:
    """Return a name with the time behind it, so that it is new."""
    return f"{name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"


def artifact_of(settings: ModelSettings, account: Account) -> str:
    """Return the URI of the model that is meant.

    Raises:
        UserError: when none or two are named, or the training job has left none.
    """
    data, job = chosen(settings, "model_data", "job")
    if bool(data) == bool(job):
        raise UserError(
            "Which model is not clear." if job else "No model is named.",
            "Give MODEL_DATA=s3://…/model.tar.gz, or JOB= and the name of the training job that left it.",
        )
    return data or _artifact_of_job(job, account)


def _artifact_of_job(name: str, account: Account) -> str:
    job = describe_training_job(name, account)
    data = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    if job["TrainingJobStatus"] not in ("Completed", "Stopped") or not data:
        raise UserError(
            f"The training job {name} is {job['TrainingJobStatus']}, so it has left no model.",
            f"See how it stands: make status JOB={name}.",
        )
    return str(data)


def describe_training_job(name: str, account: Account) -> dict[str, Any]:
    """Return SageMaker's description of a training job.

    Raises:
        UserError: when there is none of that name.
    """
    try:
        return dict(account.client("sagemaker").describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if code_of(error) in ("ResourceNotFound", "ValidationException"):
            raise UserError(
                f"There is no training job {name} in {account.region}.", "Correct JOB or REGION."
            ) from error
        raise


def say_unknown(kind: str, name: str, stays: str) -> None:
    """Say that a request may have been taken, so that what it needs is not removed.

    Args:
        kind: `endpoint` or `transform-job`, as the AWS CLI spells them.
    """
    ask = f"aws sagemaker describe-{kind} --{kind}-name {name}"
    say(f"Whether SageMaker has taken the request is not known, so {stays}: {ask}")


def delete(account: Account, kind: str, name: str) -> None:
    """Delete a model, endpoint config or endpoint as far as it goes; what stays is told.

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
