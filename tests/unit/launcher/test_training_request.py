"""A training job's request, checked against botocore's own model of CreateTrainingJob."""

import botocore.session
import pytest
from botocore.validate import ParamValidator

from launcher.aws.s3 import Location
from launcher.checks.job import Job
from launcher.inputs.channels import S3Channel
from launcher.settings.training import TrainSettings

SHAPE = (
    botocore.session.get_session()
    .get_service_model("sagemaker")
    .operation_model("CreateTrainingJob")
    .input_shape
)
CHANNELS = (
    S3Channel("train", Location("b", "texts/"), {}),
    S3Channel("model", Location("b", "encoder/"), {}),
)
EVERYTHING = {
    "environment": (("A", "1"),), "tags": (("team", "nlp"),), "subnets": ("subnet-1",), "security_group_ids": ("sg-1",),
    "volume_kms_key": "key-1", "output_kms_key": "key-2", "network_isolation": True, "encrypt_traffic": True,
    "hp": (("seeds", "2"),), "input_mode": "FastFile", "checkpoint_s3_uri": "s3://b/earlier",
}  # fmt: skip


def job(spot=True, **settings):
    """Return a job of these settings."""
    return Job(
        TrainSettings(**settings),
        spot,
        "a-job",
        "an/image:tag",
        Location("b", "mine/"),
        CHANNELS,
    )


@pytest.mark.parametrize("spot", [True, False])
@pytest.mark.parametrize("settings", [{}, EVERYTHING])
def test_the_request_is_one_that_the_api_has(settings, spot):
    """Every field exists and has its type, and none that is required is missing."""
    request = job(spot, **settings).request("arn:aws:iam::123456789012:role/a-role")
    found = ParamValidator().validate(request, SHAPE)
    assert not found.has_errors(), found.generate_report()


def test_what_is_unset_is_left_out():
    """SageMaker's defaults hold then: no retries, no network, no wait for spot capacity."""
    request = job(spot=False, max_retry_attempts=0).request("arn:aws:iam::123456789012:role/a-role")
    assert request.keys() == {
        "TrainingJobName", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig",
        "StoppingCondition", "CheckpointConfig", "HyperParameters", "ProfilerConfig", "Tags",
    }  # fmt: skip
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert job().request("r")["EnableManagedSpotTraining"] is True
