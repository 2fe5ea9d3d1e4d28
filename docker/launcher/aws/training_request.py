"""A training job as CreateTrainingJob's fields: the one description of it, whichever way it is sent."""

from collections.abc import Mapping
from typing import Any

from launcher.aws.metrics import metric_definitions
from launcher.aws.model import without_unset
from launcher.aws.request_fields import joined
from launcher.aws.s3 import Location
from launcher.settings.training import TrainSettings

OPERATION = "CreateTrainingJob"
# The setting that each field belongs to; a file of REQUEST cannot set those.
SETTING_OF = {
    "TrainingJobName": "JOB_NAME",
    "AlgorithmSpecification.TrainingImage": "IMAGE_URI",
    "AlgorithmSpecification.AlgorithmName": "IMAGE_URI",
    "AlgorithmSpecification.TrainingInputMode": "INPUT_MODE",
    "RoleArn": "ROLE",
    "InputDataConfig": "TRAIN, VALIDATION, TEST, CLASSES, MODEL and S3_DATA",
    "OutputDataConfig.S3OutputPath": "S3_PREFIX",
    "OutputDataConfig.KmsKeyId": "OUTPUT_KMS_KEY",
    "OutputDataConfig.CompressionType": "the launcher, whose other commands take model.tar.gz",
    "ResourceConfig.InstanceType": "INSTANCE_TYPE",
    "ResourceConfig.InstanceCount": "INSTANCE_COUNT",
    "ResourceConfig.VolumeSizeInGB": "VOLUME_SIZE",
    "ResourceConfig.VolumeKmsKeyId": "VOLUME_KMS_KEY",
    "StoppingCondition.MaxRuntimeInSeconds": "MAX_RUN",
    "StoppingCondition.MaxWaitTimeInSeconds": "MAX_WAIT",
    "EnableManagedSpotTraining": "the command: train-spot or train",
    "CheckpointConfig.S3Uri": "CHECKPOINT_S3_URI",
    "CheckpointConfig.LocalPath": "the image, which writes to /opt/ml/checkpoints",
    "HyperParameters": "HP",
    "Environment": "ENVIRONMENT",
    "RetryStrategy": "MAX_RETRY_ATTEMPTS",
    "VpcConfig": "SUBNETS and SECURITY_GROUP_IDS",
    "EnableNetworkIsolation": "NETWORK_ISOLATION",
    "EnableInterContainerTrafficEncryption": "ENCRYPT_TRAFFIC",
    "Tags": "TAGS",
}
# What the user's configuration of the SageMaker SDK may add where the settings are silent, such as a VPC that the
# organisation demands.
_CONFIGURABLE = ("VpcConfig", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption")
_CONFIGURABLE_KEYS = {"OutputDataConfig": "KmsKeyId", "ResourceConfig": "VolumeKmsKeyId"}
# Fields that name several instances, in the place of the one type and number of the settings.
INSTEAD = ("InstancePreferences", "InstanceGroups")


def training_request(
    settings: TrainSettings,
    *,
    name: str,
    image_uri: str,
    role_arn: str,
    channels: Mapping[str, Location],
    output: Location,
    checkpoints: Location,
    spot: bool,
) -> dict[str, Any]:
    """Return the fields of a job's request; those that are unset are left to SageMaker's defaults.

    Args:
        channels: where each channel is in S3, by its name.
        output: the folder in which SageMaker makes one of the job's name.
    """
    request = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": image_uri,
            "TrainingInputMode": settings.input_mode,
            "MetricDefinitions": metric_definitions(),
        },
        "RoleArn": role_arn,
        "InputDataConfig": [_channel(settings, one, location) for one, location in channels.items()],
        "OutputDataConfig": without_unset({"S3OutputPath": output.uri, "KmsKeyId": settings.output_kms_key}),
        "ResourceConfig": _resources(settings),
        "StoppingCondition": _limits(settings, spot=spot),
        "EnableManagedSpotTraining": spot or None,
        "CheckpointConfig": {"S3Uri": checkpoints.uri},
        "HyperParameters": settings.hyperparameters,
        "Environment": dict(settings.environment),
        "RetryStrategy": _retries(settings),
        "VpcConfig": settings.vpc_config,
        "EnableNetworkIsolation": settings.network_isolation or None,
        "EnableInterContainerTrafficEncryption": settings.encrypt_traffic or None,
        "ProfilerConfig": {"DisableProfiler": True},  # nothing here reads what it would write
        "Tags": settings.tag_list,
    }
    return without_unset(request)


def with_extra(request: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's request joined by the fields of a file, which `refuse_extra` has checked."""
    whole = joined(request, extra)
    groups = _groups(whole)
    if groups:
        counted = any("InstanceCount" in group for group in groups)
        dropped = {"InstanceType", *(("InstanceCount",) if counted else ())}
        resources = whole["ResourceConfig"]
        whole["ResourceConfig"] = {name: value for name, value in resources.items() if name not in dropped}
    return whole


def instance_types(request: Mapping[str, Any]) -> list[str]:
    """Return the instance types that a job may get, the preferred one first."""
    return [str(group["InstanceType"]) for group in _groups(request) or [request["ResourceConfig"]]]


def _groups(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    resources = request["ResourceConfig"]
    return next((list(resources[name]) for name in INSTEAD if resources.get(name)), [])


def _channel(settings: TrainSettings, name: str, location: Location) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": location.uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        "InputMode": settings.input_mode,
    }


def _resources(settings: TrainSettings) -> dict[str, Any]:
    return without_unset(
        {
            "InstanceType": settings.instance_type,
            "InstanceCount": settings.instance_count,
            "VolumeSizeInGB": settings.volume_size,
            "VolumeKmsKeyId": settings.volume_kms_key,
        }
    )


def _limits(settings: TrainSettings, *, spot: bool) -> dict[str, int]:
    waiting = {"MaxWaitTimeInSeconds": settings.longest_wait} if spot else {}
    return {"MaxRuntimeInSeconds": settings.max_run, **waiting}


def _retries(settings: TrainSettings) -> dict[str, int] | None:
    times = settings.max_retry_attempts
    return {"MaximumRetryAttempts": times} if times else None


def with_defaults(fields: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, with the defaults of the user's configuration of the SageMaker SDK.

    Args:
        made: a request that holds them: the one that the SDK has made of the fields, or the configuration's own.
    """
    request = {**{name: made[name] for name in _CONFIGURABLE if name in made}, **fields}
    for name, key in _CONFIGURABLE_KEYS.items():
        added = {key: made[name][key]} if key in made.get(name, {}) else {}
        request[name] = {**added, **fields[name]}
    environment = {**made.get("Environment", {}), **fields.get("Environment", {})}
    tags = {tag["Key"]: tag for tag in (*made.get("Tags", ()), *fields.get("Tags", ()))}
    return without_unset({**request, "Environment": environment, "Tags": list(tags.values())})
