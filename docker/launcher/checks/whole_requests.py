"""Whole requests checked against botocore's own model of the API, before the first of them is sent."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ServiceModel

from launcher.aws.request_fields import wrong_fields
from launcher.findings import Finding, fail

# Deepest paths first: the first that a mistake holds names its setting.
SETTING_OF: Mapping[str, str] = {
    "TransformResources.VolumeKmsKeyId": "VOLUME_KMS_KEY",
    "TransformOutput.KmsKeyId": "OUTPUT_KMS_KEY",
    "OutputConfig.KmsKeyId": "OUTPUT_KMS_KEY",
    "DataCaptureConfig.KmsKeyId": "OUTPUT_KMS_KEY",
    "KmsKeyId": "VOLUME_KMS_KEY",
    "TransformInput.ContentType": "CONTENT_TYPE",
    "TransformOutput.Accept": "ACCEPT",
    "S3DataSource.S3Uri": "INPUT",
    "S3OutputPath": "OUTPUT or S3_PREFIX",
    "DestinationS3Uri": "S3_PREFIX",
    "VpcConfig": "SUBNETS and SECURITY_GROUP_IDS",
    "ExecutionRoleArn": "ROLE",
    "Environment": "ENVIRONMENT",
    "ModelPackageDescription": "NOTE",
    "Tags": "TAGS",
}


def check_requests(
    requests: Mapping[str, Mapping[str, Any]], model: ServiceModel, checked_before: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Yield what the API would refuse in the requests, each mistake once.

    Args:
        requests: by operation, such as CreateModel.
        model: botocore's, of the service.
        checked_before: paths of what another check judges, with more words.
    """
    wrong = (
        one
        for operation, fields in requests.items()
        for one in wrong_fields(model, operation, fields, SETTING_OF)
    )
    for one in dict.fromkeys(wrong):
        if not one.startswith(checked_before):
            yield fail("request", one, "Correct it.")
