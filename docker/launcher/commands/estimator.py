"""Training through the generic Estimator of the SageMaker SDK, version 2."""

from collections.abc import Mapping
from typing import Any

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

from launcher.aws.account import Account
from launcher.aws.sdk import configuration


def create(fields: Mapping[str, Any], account: Account) -> None:
    """Request the job.

    Raises:
        UserError: when the user's configuration of the SDK cannot be read.
    """
    # Its defaults hold, such as a VPC that the organisation demands.
    session = sagemaker.Session(
        boto_session=account.session,
        sagemaker_client=account.client("sagemaker"),
        sagemaker_config=configuration(),
    )
    inputs = {channel["ChannelName"]: _input(channel) for channel in fields["InputDataConfig"]}
    _estimator(fields, session).fit(inputs, wait=False, job_name=fields["TrainingJobName"])


def _input(channel: Mapping[str, Any]) -> TrainingInput:
    source = channel["DataSource"]["S3DataSource"]
    return TrainingInput(
        source["S3Uri"], distribution=source["S3DataDistributionType"], input_mode=channel["InputMode"]
    )


def _estimator(fields: Mapping[str, Any], session: sagemaker.Session) -> Estimator:
    algorithm, resources, limits, output = (
        fields[name]
        for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition", "OutputDataConfig")
    )
    network = fields.get("VpcConfig", {})
    waiting = {"max_wait": limits["MaxWaitTimeInSeconds"]} if fields.get("EnableManagedSpotTraining") else {}
    return Estimator(
        image_uri=algorithm["TrainingImage"],
        role=fields["RoleArn"],
        # It wants these two where the request names several types instead.
        instance_count=resources.get("InstanceCount", 1),
        instance_type=resources.get("InstanceType", "ml.m5.xlarge"),
        volume_size=resources["VolumeSizeInGB"],
        volume_kms_key=resources.get("VolumeKmsKeyId"),
        max_run=limits["MaxRuntimeInSeconds"],
        use_spot_instances=bool(waiting),
        input_mode=algorithm["TrainingInputMode"],
        output_path=output["S3OutputPath"],
        output_kms_key=output.get("KmsKeyId"),
        sagemaker_session=session,
        hyperparameters=fields["HyperParameters"],
        tags=fields.get("Tags"),
        subnets=network.get("Subnets"),
        security_group_ids=network.get("SecurityGroupIds"),
        metric_definitions=algorithm["MetricDefinitions"],
        encrypt_inter_container_traffic=fields.get("EnableInterContainerTrafficEncryption", False),
        checkpoint_s3_uri=fields["CheckpointConfig"]["S3Uri"],
        enable_network_isolation=fields.get("EnableNetworkIsolation", False),
        debugger_hook_config=False,
        disable_profiler=fields["ProfilerConfig"]["DisableProfiler"],
        environment=fields.get("Environment"),
        max_retry_attempts=fields.get("RetryStrategy", {}).get("MaximumRetryAttempts"),
        **waiting,
    )
