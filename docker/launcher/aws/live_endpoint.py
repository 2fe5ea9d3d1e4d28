"""An existing endpoint: what it has, and which of that an update keeps."""

import dataclasses
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.errors import code_of, is_denied
from launcher.aws.s3 import Location
from launcher.command import say
from launcher.settings.inference import DeploySettings

# Fields of a variant, and the settings that they come from; what no setting names stays as it is.
SETTING_OF = {
    "InstanceType": "instance_type",
    "InitialInstanceCount": "instance_count",
    "VolumeSizeInGB": "volume_size",
    "ModelDataDownloadTimeoutInSeconds": "download_timeout",
    "ContainerStartupHealthCheckTimeoutInSeconds": "startup_timeout",
}
_SET_FOR_ASYNC = ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "SAGEMAKER_MAX_PAYLOAD_IN_MB", "SERVING_MAX_RECORDS")


@dataclasses.dataclass(frozen=True)
class LiveEndpoint:
    """SageMaker's descriptions of an endpoint with one variant and one model.

    Attributes:
        model: empty when somebody has deleted it, which the endpoint does not mind.
        tags: those of the configuration.
    """

    endpoint: dict[str, Any]
    config: dict[str, Any]
    model: dict[str, Any]
    tags: dict[str, str]

    @classmethod
    def of(cls, account: Account, endpoint: dict[str, Any]) -> "LiveEndpoint":
        """Look up everything that belongs to an endpoint.

        Raises:
            UserError: for several variants, containers or models, or none, which `deploy` would not keep.
        """
        client, name = account.client("sagemaker"), endpoint["EndpointName"]
        config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variants = config["ProductionVariants"]
        if len(variants) != 1 or "ModelName" not in variants[0]:
            names = ", ".join(variant["VariantName"] for variant in variants)
            raise _unsupported(name, f"variants {names}" if len(variants) != 1 else "inference components")
        model = _model(account, variants[0]["ModelName"])
        if len(model.get("Containers", ())) > 1:
            raise _unsupported(name, f"a pipeline of {len(model['Containers'])} containers")
        live = cls(endpoint, dict(config), model, _tags(account, config["EndpointConfigArn"]))
        if live.container.get("Mode") == "MultiModel":
            raise _unsupported(name, "a container for many models")
        return live

    @property
    def variant(self) -> dict[str, Any]:
        """Its variant, with the instances that it has now, by hand or by autoscaling."""
        variant = dict(self.config["ProductionVariants"][0])
        summary: dict[str, Any] = next(iter(self.endpoint.get("ProductionVariants", ())), {})
        for field, desired in (
            ("InitialInstanceCount", "DesiredInstanceCount"),
            ("ServerlessConfig", "DesiredServerlessConfig"),
        ):
            if field in variant and summary.get(desired):
                variant[field] = summary[desired]
        return variant

    @property
    def container(self) -> dict[str, Any]:
        """The container of its model."""
        return dict(self.model.get("PrimaryContainer") or next(iter(self.model.get("Containers", ())), {}))

    @property
    def asynchronous(self) -> dict[str, Any]:
        """Its asynchronous configuration; empty for another mode."""
        return dict(self.config.get("AsyncInferenceConfig") or {})

    @property
    def mode(self) -> str:
        """Its mode, as the setting names it."""
        if "ServerlessConfig" in self.variant:
            return "serverless"
        return "async" if self.asynchronous else "realtime"

    def keep(self, settings: DeploySettings) -> DeploySettings:
        """Return the settings with the endpoint's own values instead of defaults."""
        mode = settings.mode if "mode" in settings.given else self.mode
        kept = {**self._of_config(), **self._of_model(settings, mode), "mode": mode}
        if "instance_type" in settings.given and settings.instance_type != kept["instance_type"]:
            del kept["inference_ami_version"]  # it was chosen for another machine
        vpc = {"subnets", "security_group_ids"}
        given = settings.given | (vpc if settings.given & vpc else set())
        new = {name: value for name, value in kept.items() if name not in given and value not in (None, "")}
        tags = tuple({**self.tags, **dict(settings.tags)}.items())
        return dataclasses.replace(settings, **new, tags=tags)

    def _of_config(self) -> dict[str, Any]:
        variant, asynchronous = self.variant, self.asynchronous
        serverless = variant.get("ServerlessConfig") or {}
        return {
            **{setting: variant.get(field) for field, setting in SETTING_OF.items()},
            "inference_ami_version": variant.get("InferenceAmiVersion"),
            "memory_size": serverless.get("MemorySizeInMB"),
            "max_concurrency": serverless.get("MaxConcurrency"),
            "async_concurrency": asynchronous.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance"),
            "volume_kms_key": self.config.get("KmsKeyId"),
            "output_kms_key": asynchronous.get("OutputConfig", {}).get("KmsKeyId"),
        }  # fmt: skip

    def _of_model(self, settings: DeploySettings, mode: str) -> dict[str, Any]:
        if not self.model:
            return {}
        vpc = self.model.get("VpcConfig") or {}
        dropped = set(_SET_FOR_ASYNC) if self.mode == "async" != mode else set()
        dropped |= set(_SET_FOR_ASYNC[:1]) if "invocation_timeout" in settings.given else set()
        environment = self.container.get("Environment", {}).items()
        return {
            "environment": tuple(pair for pair in environment if pair[0] not in dropped),
            "role": self.model.get("ExecutionRoleArn"),
            "subnets": tuple(vpc.get("Subnets", ())),
            "security_group_ids": tuple(vpc.get("SecurityGroupIds", ())),
            "network_isolation": self.model.get("EnableNetworkIsolation"),
        }

    def async_folder(self, settings: DeploySettings) -> Location | None:
        """Return where it reads and writes now; None when that is to change, or it is not asynchronous."""
        output = self.asynchronous.get("OutputConfig", {}).get("S3OutputPath")
        if not output or "s3_prefix" in settings.given:
            return None
        location = Location.of(output).as_folder()
        return Location(location.bucket, location.key.removesuffix("output/"))

    def capture_folder(self, settings: DeploySettings) -> Location | None:
        """Return where it stores requests and answers now; None when that is to change, or it stores none."""
        uri = (self.config.get("DataCaptureConfig") or {}).get("DestinationS3Uri")
        return Location.of(uri).as_folder() if uri and "s3_prefix" not in settings.given else None


def _unsupported(name: str, form: str) -> UserError:
    return UserError(
        f"The endpoint {name} has {form}, which deploy would not keep.",
        "Give another ENDPOINT, or update this one with the tool that created it.",
    )


def _model(account: Account, name: str) -> dict[str, Any]:
    try:
        return dict(account.client("sagemaker").describe_model(ModelName=name))
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound"):
            return {}
        raise


def _tags(account: Account, arn: str) -> dict[str, str]:
    """Return the tags of a resource, without those reserved by AWS."""
    try:
        pages = account.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        found = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    except ClientError as error:
        if not is_denied(error):
            raise
        say("you may not read its tags (sagemaker:ListTags), so the new configuration has only those of TAGS")
        return {}
    return {name: value for name, value in found.items() if not name.lower().startswith("aws:")}
