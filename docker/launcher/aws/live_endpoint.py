"""An endpoint that is there already: what it has, and what of that an update keeps unless it is told otherwise."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from launcher.aws.account import Account
from launcher.aws.instances import has_own_disk
from launcher.aws.live_container import told_fields
from launcher.aws.model import told
from launcher.aws.refusals import code_of, is_denied
from launcher.aws.s3 import Location
from launcher.command import say
from launcher.settings.model import DeploySettings

# What a configuration's description holds beside what its request may hold.
_OF_DESCRIPTION = ("EndpointConfigArn", "CreationTime", "ResponseMetadata")
# Fields of a variant, and the settings that they come from; what a setting does not name stays as it is.
_SETTING_OF = {
    "InstanceType": "instance_type",
    "InitialInstanceCount": "instance_count",
    "VolumeSizeInGB": "volume_size",
    "ModelDataDownloadTimeoutInSeconds": "download_timeout",
    "ContainerStartupHealthCheckTimeoutInSeconds": "startup_timeout",
}
# What the table calls fields that a setting stands for.
_SHOWN = {
    **{field: setting.upper() for field, setting in _SETTING_OF.items()},
    "ModelDataUrl": "MODEL_DATA",
    "Image": "IMAGE_URI",
    "ExecutionRoleArn": "ROLE",
    "VpcConfig.Subnets": "SUBNETS",
    "VpcConfig.SecurityGroupIds": "SECURITY_GROUP_IDS",
    "EnableNetworkIsolation": "NETWORK_ISOLATION",
    "KmsKeyId": "VOLUME_KMS_KEY",
    "InferenceAmiVersion": "INFERENCE_AMI_VERSION",
    "ServerlessConfig.MemorySizeInMB": "MEMORY_SIZE",
    "ServerlessConfig.MaxConcurrency": "MAX_CONCURRENCY",
}
_NOT_SERVERLESS = ("DataCaptureConfig", "KmsKeyId")  # a serverless endpoint has neither
_FOR_ASYNC = ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "SAGEMAKER_MAX_PAYLOAD_IN_MB", "SERVING_MAX_RECORDS")


@dataclasses.dataclass(frozen=True)
class LiveEndpoint:
    """What SageMaker tells of an endpoint with one variant and one model.

    Attributes:
        endpoint: its description.
        config: that of its configuration.
        model: that of its model; empty when somebody has deleted it.
        tags: those of the configuration.
    """

    endpoint: dict[str, Any]
    config: dict[str, Any]
    model: dict[str, Any]
    tags: dict[str, str]

    @classmethod
    def of(cls, account: Account, endpoint: dict[str, Any]) -> "LiveEndpoint":
        """Ask SageMaker for everything that belongs to an endpoint.

        Raises:
            UserError: when it is of a form that `deploy` would not keep: several variants, containers or no model.
        """
        client, name = account.client("sagemaker"), endpoint["EndpointName"]
        config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variants = config["ProductionVariants"]
        if len(variants) != 1 or "ModelName" not in variants[0]:
            names = ", ".join(variant["VariantName"] for variant in variants)
            raise _another_form(name, f"variants {names}" if len(variants) != 1 else "inference components")
        model = _model(account, variants[0]["ModelName"])
        if len(model.get("Containers", ())) > 1:
            raise _another_form(name, f"a pipeline of {len(model['Containers'])} containers")
        live = cls(endpoint, dict(config), model, _tags(account, config["EndpointConfigArn"]))
        if live.container.get("Mode") == "MultiModel":
            raise _another_form(name, "a container for many models")
        return live

    @property
    def variant(self) -> dict[str, Any]:
        """Its variant, with as many instances as it has now, by hand or by autoscaling."""
        variant = dict(self.config["ProductionVariants"][0])
        summary = self._summary
        if "InitialInstanceCount" in variant and summary.get("DesiredInstanceCount"):
            variant["InitialInstanceCount"] = summary["DesiredInstanceCount"]
        if "ServerlessConfig" in variant:
            variant["ServerlessConfig"] = (
                summary.get("DesiredServerlessConfig") or variant["ServerlessConfig"]
            )
        return variant

    @property
    def _summary(self) -> dict[str, Any]:
        return dict(next(iter(self.endpoint.get("ProductionVariants", ())), {}))

    @property
    def container(self) -> dict[str, Any]:
        """The container of its model."""
        return dict(self.model.get("PrimaryContainer") or next(iter(self.model.get("Containers", ())), {}))

    @property
    def mode(self) -> str:
        """Its mode, as the setting names it."""
        if "ServerlessConfig" in self.variant:
            return "serverless"
        return "async" if self.config.get("AsyncInferenceConfig") else "realtime"

    def keep(self, settings: DeploySettings) -> DeploySettings:
        """Return the settings, with what the endpoint has in the place of every default."""
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
        variant, asynchronous = self.variant, self.config.get("AsyncInferenceConfig") or {}
        serverless = variant.get("ServerlessConfig") or {}
        return {
            **{setting: variant.get(field) for field, setting in _SETTING_OF.items()},
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
        left_out = set(_FOR_ASYNC) if self.mode == "async" != mode else set()
        left_out |= set(_FOR_ASYNC[:1]) if "invocation_timeout" in settings.given else set()
        environment = self.container.get("Environment", {}).items()
        return {
            "environment": tuple(pair for pair in environment if pair[0] not in left_out),
            "role": self.model.get("ExecutionRoleArn"),
            "subnets": tuple(vpc.get("Subnets", ())),
            "security_group_ids": tuple(vpc.get("SecurityGroupIds", ())),
            "network_isolation": self.model.get("EnableNetworkIsolation"),
        }

    def async_folder(self, settings: DeploySettings) -> Location | None:
        """Return where it reads and writes now; None when that is to change, or it does not do so."""
        output = (self.config.get("AsyncInferenceConfig") or {}).get("OutputConfig", {}).get("S3OutputPath")
        if not output or "s3_prefix" in settings.given:
            return None
        location = Location.of(output).as_folder()
        return Location(location.bucket, location.key.removesuffix("output/"))

    @property
    def _base(self) -> dict[str, Any]:
        """Its configuration as a request could hold it: what is off needs no word."""
        told = {name: value for name, value in self.config.items() if name not in _OF_DESCRIPTION}
        return {name: value for name, value in told.items() if value is not False}

    def config_request(self, settings: DeploySettings, fresh: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request of its next configuration.

        Args:
            settings: as `keep` has returned them.
            fresh: the request that a new endpoint with these settings would get.
        """
        base = dict(self._base)
        for name in _NOT_SERVERLESS if settings.is_serverless else ():
            base.pop(name, None)
        request = {**base, **fresh, "ProductionVariants": [self._variant_request(settings, fresh)]}
        request["AsyncInferenceConfig"] = self._async_request(settings, fresh.get("AsyncInferenceConfig"))
        return told(request)

    def _variant_request(self, settings: DeploySettings, fresh: Mapping[str, Any]) -> dict[str, Any]:
        new = {**fresh["ProductionVariants"][0], "VariantName": self.variant["VariantName"]}
        if settings.is_serverless != (self.mode == "serverless"):
            return new
        left_out = {"InferenceAmiVersion"}
        if settings.instance_type != self.variant.get("InstanceType") and has_own_disk(
            settings.instance_type
        ):
            left_out.add("VolumeSizeInGB")
        now = {name: value for name, value in self.variant.items() if name not in left_out}
        changed = {
            name: value
            for name, value in new.items()
            if name != "InitialVariantWeight"
            and (name not in _SETTING_OF or _SETTING_OF[name] in settings.given)
        }
        if settings.is_serverless:
            changed["ServerlessConfig"] = {**now["ServerlessConfig"], **new["ServerlessConfig"]}
        return {**now, **changed}

    def _async_request(
        self, settings: DeploySettings, fresh: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | None:
        now = self.config.get("AsyncInferenceConfig")
        if not now or not fresh:
            return fresh
        output = {**now["OutputConfig"], **({} if self.async_folder(settings) else fresh["OutputConfig"])}
        output |= {"KmsKeyId": settings.output_kms_key} if settings.output_kms_key else {}
        client = {**now.get("ClientConfig", {}), **fresh.get("ClientConfig", {})}
        return told({**now, "OutputConfig": output, "ClientConfig": client})

    def update_request(self, settings: DeploySettings, config: str) -> dict[str, Any]:
        """Return the request that puts a configuration in the place of the present one."""
        request: dict[str, Any] = {"EndpointName": settings.endpoint, "EndpointConfigName": config}
        if self.mode != "serverless" and not settings.is_serverless:
            # What autoscaling has set, or a hand: instances, weights, data capture.
            request["RetainAllVariantProperties"] = True
            if "instance_count" in settings.given:
                excluded = [{"VariantPropertyType": "DesiredInstanceCount"}]
                request["ExcludeRetainedVariantProperties"] = excluded
        if self.endpoint.get("LastDeploymentConfig"):
            request["RetainDeploymentConfig"] = True
        return request

    def changes(self, model: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Return what an update changes: setting, now, new.

        Args:
            model: request of the next model.
            config: request of the next configuration.
        """
        now = {**told_fields(self.container), **self.model}
        before = dict(_flat({**_without_names(now), **self._base, "ProductionVariants": [self.variant]}))
        after = dict(_flat({**model["PrimaryContainer"], **_without_names(model), **config}))
        before |= {f"TAGS.{name}": value for name, value in self.tags.items()}
        after |= {f"TAGS.{tag['Key']}": tag["Value"] for tag in config.get("Tags", ())}
        names = [name for name in {**before, **after} if before.get(name, "–") != after.get(name, "–")]
        return [(_SHOWN.get(name, name), before.get(name, "–"), after.get(name, "–")) for name in names]


def _another_form(name: str, form: str) -> UserError:
    return UserError(
        f"The endpoint {name} has {form}, which deploy would not keep.",
        "Name another ENDPOINT, or update this one with what has made it.",
    )


def _model(account: Account, name: str) -> dict[str, Any]:
    """Return the description of a model; empty when it is gone, which the endpoint does not mind."""
    try:
        return dict(account.client("sagemaker").describe_model(ModelName=name))
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound"):
            return {}
        raise


def _tags(account: Account, arn: str) -> dict[str, str]:
    """Return the tags of something; those of AWS itself are not for others to set."""
    try:
        pages = account.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        found = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    except ClientError as error:
        if is_denied(error):
            say(
                "its tags may not be read (sagemaker:ListTags), so the new configuration has only those of TAGS"
            )
            return {}
        raise
    return {name: value for name, value in found.items() if not name.lower().startswith("aws:")}


def _without_names(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model without what differs from version to version, or stands elsewhere."""
    left_out = {
        "ModelName",
        "PrimaryContainer",
        "Containers",
        "ModelArn",
        "CreationTime",
        "Tags",
        "ResponseMetadata",
    }
    return {name: value for name, value in request.items() if name not in left_out}


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield each single value with its name, such as Environment.SERVING_THREADS."""
    hidden = {"EndpointConfigName", "ModelName", "Tags", *_OF_DESCRIPTION}
    for name, one in value.items():
        if name in hidden:
            continue
        if isinstance(one, Mapping):
            yield from _flat(one, f"{before}{name}.")
        elif name == "ProductionVariants":
            yield from _flat(one[0])
        else:
            yield before + name, str(one)
