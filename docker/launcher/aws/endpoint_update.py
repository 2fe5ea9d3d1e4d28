"""The update of an existing endpoint: its requests, and what they change."""

from collections.abc import Iterator, Mapping
from typing import Any

from launcher.aws import rollout
from launcher.aws.live_endpoint import SETTING_OF, LiveEndpoint
from launcher.aws.model import without_unset
from launcher.settings import own_tag
from launcher.settings.inference import DeploySettings
from launcher.settings.instances import has_own_disk

# Fields of a container that any image can have and no setting of `deploy` names.
_KEPT = ("ContainerHostname", "AdditionalModelDataSources", "ContainerMetricsConfig")
# Fields of a configuration's description that its request cannot have.
_DESCRIPTION = ("EndpointConfigArn", "CreationTime", "ResponseMetadata")
_NOT_SERVERLESS = ("DataCaptureConfig", "KmsKeyId")
_UNSHOWN_OF_MODEL = ("PrimaryContainer", "Containers", "ModelArn")
_UNSHOWN = {"EndpointConfigName", "ModelName", "Tags", *_DESCRIPTION}
# How the table calls fields that a setting stands for.
_SHOWN = {
    **{field: setting.upper() for field, setting in SETTING_OF.items()},
    "ModelDataUrl": "MODEL_DATA",
    "Image": "IMAGE_URI",
    "ExecutionRoleArn": "ROLE",
    "VpcConfig.Subnets": "SUBNETS",
    "VpcConfig.SecurityGroupIds": "SECURITY_GROUP_IDS",
    "EnableNetworkIsolation": "NETWORK_ISOLATION",
    "KmsKeyId": "VOLUME_KMS_KEY",
    "InferenceAmiVersion": "INFERENCE_AMI_VERSION",
    "DataCaptureConfig.InitialSamplingPercentage": "CAPTURE",
    "MetricsConfig.MetricPublishFrequencyInSeconds": "METRICS_INTERVAL",
    "ServerlessConfig.MemorySizeInMB": "MEMORY_SIZE",
    "ServerlessConfig.MaxConcurrency": "MAX_CONCURRENCY",
}


def next_container(now: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of the next container, with what it keeps of the present one.

    Args:
        now: the present one, as SageMaker describes it.
        new: the request of a new model's.
    """
    same_registry = _registry(now) == _registry(new)  # ImageConfig says how to access it
    names = (*_KEPT, "ImageConfig") if same_registry else _KEPT
    return {**{name: now[name] for name in names if now.get(name)}, **new}


def _registry(container: Mapping[str, Any]) -> str:
    return str(container.get("Image", "")).partition("/")[0]


def next_config(live: LiveEndpoint, settings: DeploySettings, fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of the endpoint's next configuration.

    Args:
        settings: as `live.keep` has returned them.
        fresh: the request that a new endpoint with these settings would get.
    """
    dropped = {
        *(_NOT_SERVERLESS if settings.is_serverless else ()),
        *(["DataCaptureConfig"] if settings.capture == 0 else []),
    }
    base = {name: value for name, value in _as_request(live.config).items() if name not in dropped}
    request = {**base, **fresh, "ProductionVariants": [_next_variant(live, settings, fresh)]}
    if "MetricsConfig" in fresh:
        request["MetricsConfig"] = {**base.get("MetricsConfig", {}), **fresh["MetricsConfig"]}
    if "DataCaptureConfig" in fresh:
        request["DataCaptureConfig"] = _next_capture(live, settings, fresh["DataCaptureConfig"])
    request["AsyncInferenceConfig"] = _next_async(live, settings, fresh.get("AsyncInferenceConfig"))
    return without_unset(request)


def _as_request(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as a request would hold it; False is SageMaker's default."""
    return {name: value for name, value in config.items() if name not in _DESCRIPTION and value is not False}


def _next_variant(live: LiveEndpoint, settings: DeploySettings, fresh: Mapping[str, Any]) -> dict[str, Any]:
    new = {**fresh["ProductionVariants"][0], "VariantName": live.variant["VariantName"]}
    if settings.is_serverless != (live.mode == "serverless"):
        return new
    dropped = {"InferenceAmiVersion"}
    if settings.instance_type != live.variant.get("InstanceType") and has_own_disk(settings.instance_type):
        dropped.add("VolumeSizeInGB")
    now = {name: value for name, value in live.variant.items() if name not in dropped}
    changed = {
        name: value
        for name, value in new.items()
        if name != "InitialVariantWeight" and (name not in SETTING_OF or SETTING_OF[name] in settings.given)
    }
    if settings.is_serverless:
        changed["ServerlessConfig"] = {**now["ServerlessConfig"], **new["ServerlessConfig"]}
    return {**now, **changed}


def _next_capture(
    live: LiveEndpoint, settings: DeploySettings, fresh: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the next data capture: the share that is given, and everything else as it is unless that is given."""
    now = dict(live.config.get("DataCaptureConfig") or {})
    given = {"InitialSamplingPercentage", "EnableCapture"}
    given |= {"DestinationS3Uri"} if "s3_prefix" in settings.given else set()
    given |= {"KmsKeyId"} if "output_kms_key" in settings.given else set()
    return {**fresh, **{name: value for name, value in now.items() if name not in given}}


def _next_async(
    live: LiveEndpoint, settings: DeploySettings, fresh: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    now = live.asynchronous
    if not now or not fresh:
        return fresh
    output = {**now["OutputConfig"], **({} if live.async_folder(settings) else fresh["OutputConfig"])}
    output |= {"KmsKeyId": settings.output_kms_key} if settings.output_kms_key else {}
    client = {**now.get("ClientConfig", {}), **fresh.get("ClientConfig", {})}
    return without_unset({**now, "OutputConfig": output, "ClientConfig": client})


def update_request(live: LiveEndpoint, settings: DeploySettings, config: str) -> dict[str, Any]:
    """Return the request that replaces the present configuration with another."""
    request: dict[str, Any] = {"EndpointName": settings.endpoint, "EndpointConfigName": config}
    if live.mode != "serverless" and not settings.is_serverless:
        # Instances, weights and data capture as autoscaling or somebody by hand has set them.
        request["RetainAllVariantProperties"] = True
        anew = ["DesiredInstanceCount"] if "instance_count" in settings.given else []
        anew += ["DataCaptureConfig"] if settings.capture is not None else []
        if anew:
            request["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": name} for name in anew]
    if settings.rollout != "keep":
        request["DeploymentConfig"] = rollout.deployment_config(settings)
    elif live.endpoint.get("LastDeploymentConfig"):
        request["RetainDeploymentConfig"] = True
    return request


def changes(
    live: LiveEndpoint, model: Mapping[str, Any], config: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return what an update changes: setting, now, new.

    Args:
        model: request of the next model.
        config: request of the next configuration.
    """
    # SageMaker describes some things twice, and the mode of a container that is not MultiModel.
    twice = {"Mode", "ModelDataSource"} if "ModelDataUrl" in live.container else {"Mode"}
    container = {name: value for name, value in live.container.items() if name not in twice}
    now = _shown_of_model({**container, **live.model})
    before = dict(_flat({**now, **_as_request(live.config), "ProductionVariants": [live.variant]}))
    after = dict(_flat({**model["PrimaryContainer"], **_shown_of_model(model), **config}))
    before |= {f"TAGS.{name}": value for name, value in live.tags.items()}
    after |= {f"TAGS.{tag['Key']}": tag["Value"] for tag in config.get("Tags", ())}
    for tags in (before, after):
        tags.pop(f"TAGS.{own_tag.KEY}", None)
    names = [name for name in {**before, **after} if before.get(name, "–") != after.get(name, "–")]
    return [(_SHOWN.get(name, name), before.get(name, "–"), after.get(name, "–")) for name in names]


def _shown_of_model(model: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in model.items() if name not in _UNSHOWN_OF_MODEL}


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each single value with its name, such as Environment.SERVING_THREADS."""
    for name, one in value.items():
        if name in _UNSHOWN:
            continue
        if isinstance(one, Mapping):
            yield from _flat(one, f"{prefix}{name}.")
        elif name == "ProductionVariants":
            yield from _flat(one[0])
        else:
            yield prefix + name, str(one)
