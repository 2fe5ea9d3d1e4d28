"""Training through ModelTrainer of the SageMaker SDK, version 3.

What it would send of its own accord differs in four fields: it appends its own time stamp to the job's name, spells two
defaults out (CompressionType, CheckpointConfig.LocalPath), and has no parameter for ProfilerConfig. With source code it
would wrap the command and add channels; an image that brings its own program needs none.
"""

import os
from collections.abc import Mapping
from typing import Any

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.shapes import DataSource, MetricDefinition, RetryStrategy, S3DataSource
from sagemaker.core.training.configs import (
    Channel,
    CheckpointConfig,
    Compute,
    Networking,
    OutputDataConfig,
    StoppingCondition,
    Tag,
)
from sagemaker.train.model_trainer import ModelTrainer

from launcher.aws.account import Account
from launcher.aws.sdk import configuration
from launcher.aws.training_request import with_defaults

# By default it refuses a role without permissions for a VPC; the checks have looked at what the job's role needs.
os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")


def create(fields: Mapping[str, Any], account: Account) -> None:
    """Request the job.

    Raises:
        UserError: when the user's configuration of the SDK cannot be read.
    """
    config = configuration()
    # Version 3.27 does not apply subnets, security groups and tags of the configuration.
    fields = with_defaults(fields, config["SageMaker"].get("TrainingJob", {}))
    trainer = _trainer(fields, Session(boto_session=account.session, sagemaker_config=config))
    trainer.with_metric_definitions(
        [MetricDefinition(name=one["Name"], regex=one["Regex"]) for one in
         fields["AlgorithmSpecification"]["MetricDefinitions"]]
    )  # fmt: skip
    if "RetryStrategy" in fields:
        times = fields["RetryStrategy"]["MaximumRetryAttempts"]
        trainer.with_retry_strategy(RetryStrategy(maximum_retry_attempts=times))
    trainer.train(wait=False, logs=False)


def _trainer(fields: Mapping[str, Any], session: Session) -> ModelTrainer:
    algorithm, resources, limits, output = (
        fields[name]
        for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition", "OutputDataConfig")
    )
    tags = [Tag(key=tag["Key"], value=tag["Value"]) for tag in fields.get("Tags", ())]
    return ModelTrainer(
        training_image=algorithm["TrainingImage"],
        role=fields["RoleArn"],
        sagemaker_session=session,
        base_job_name=fields["TrainingJobName"],
        compute=Compute(
            instance_type=resources.get("InstanceType"),
            instance_count=resources.get("InstanceCount"),
            volume_size_in_gb=resources["VolumeSizeInGB"],
            volume_kms_key_id=resources.get("VolumeKmsKeyId"),
            enable_managed_spot_training=fields.get("EnableManagedSpotTraining"),
        ),
        networking=_networking(fields),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=limits["MaxRuntimeInSeconds"],
            max_wait_time_in_seconds=limits.get("MaxWaitTimeInSeconds"),
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=output["S3OutputPath"], kms_key_id=output.get("KmsKeyId")
        ),
        input_data_config=[_input(channel) for channel in fields["InputDataConfig"]],
        checkpoint_config=CheckpointConfig(s3_uri=fields["CheckpointConfig"]["S3Uri"]),
        training_input_mode=algorithm["TrainingInputMode"],
        environment=fields.get("Environment", {}),
        hyperparameters=fields["HyperParameters"],
        tags=tags or None,
    )


def _input(channel: Mapping[str, Any]) -> Channel:
    source = channel["DataSource"]["S3DataSource"]
    data = S3DataSource(
        s3_data_type=source["S3DataType"],
        s3_uri=source["S3Uri"],
        s3_data_distribution_type=source["S3DataDistributionType"],
    )
    return Channel(
        channel_name=channel["ChannelName"],
        data_source=DataSource(s3_data_source=data),
        input_mode=channel["InputMode"],
    )


def _networking(fields: Mapping[str, Any]) -> Networking | None:
    """Return the network's settings; None without any, so that the configuration's hold."""
    network = fields.get("VpcConfig", {})
    settings = {
        "subnets": network.get("Subnets"),
        "security_group_ids": network.get("SecurityGroupIds"),
        "enable_network_isolation": fields.get("EnableNetworkIsolation"),
        "enable_inter_container_traffic_encryption": fields.get("EnableInterContainerTrafficEncryption"),
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return Networking(**given) if given else None
