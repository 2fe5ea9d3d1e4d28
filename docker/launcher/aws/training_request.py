"""A training job as CreateTrainingJob's fields: the one description of it, whichever way it is sent."""

from collections.abc import Mapping
from typing import Any

from launcher.aws.metrics import metric_definitions
from launcher.aws.model import without_unset
from launcher.aws.s3 import Location
from launcher.settings.training import TrainSettings

OPERATION = "CreateTrainingJob"


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
