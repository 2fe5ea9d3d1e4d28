"""What an update keeps of data capture, and which instance types it refuses for the sake of autoscaling."""

from typing import Any

import pytest

from launcher.aws import endpoint, endpoint_update, scaling
from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.s3 import Location
from launcher.checks.endpoint import check_scaling
from launcher.settings.account import AccountSettings
from launcher.settings.inference import DeploySettings
from support.aws import Aws

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://a-bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
    "KmsKeyId": "theirs",
}


def live(instance_type: str) -> LiveEndpoint:
    """Return an endpoint that captures its requests."""
    variant = {
        "VariantName": "Blue", "ModelName": "m", "InitialInstanceCount": 2, "InstanceType": instance_type,
    }  # fmt: skip
    config = {
        "EndpointConfigName": "old", "EndpointConfigArn": "arn", "ProductionVariants": [variant],
        "DataCaptureConfig": CAPTURE,
    }  # fmt: skip
    return LiveEndpoint({"EndpointName": "bert-classifier", "EndpointArn": "arn"}, config, {}, {})


def captured(settings: DeploySettings) -> dict[str, Any]:
    """Return the data capture of an update."""
    there, folder = live("ml.c5.xlarge"), Location("a-bucket", "new/capture/")
    settings = there.keep(settings)
    fresh = endpoint.config_request(settings, "new", folder, folder)
    request: dict[str, Any] = endpoint_update.next_config(there, settings, fresh)["DataCaptureConfig"]
    return request


def test_another_share_of_captures_keeps_their_folder_and_key():
    """The folder that is checked is the one that is kept."""
    settings = DeploySettings(capture=50, given=frozenset({"capture"}))
    assert live("ml.c5.xlarge").capture_folder(settings) == Location("a-bucket", "captured/")
    now = captured(settings)
    assert "application/json" in now.pop("CaptureContentTypeHeader")["JsonContentTypes"]
    assert now == {**CAPTURE, "InitialSamplingPercentage": 50}


def test_a_folder_and_a_key_that_are_given_are_taken():
    """In place of the present ones."""
    given = frozenset({"capture", "s3_prefix", "output_kms_key"})
    settings = DeploySettings(capture=50, s3_prefix="s3://a-bucket/new", output_kms_key="k", given=given)
    assert live("ml.c5.xlarge").capture_folder(settings) is None
    moved = captured(settings)
    assert (moved["DestinationS3Uri"], moved["KmsKeyId"]) == (Location("a-bucket", "new/capture/").uri, "k")


@pytest.mark.parametrize(
    ("now", "to", "metric", "expected"),
    [
        ("ml.c5.xlarge", "ml.t2.large", "cpu", "SageMaker does not scale burstable instances (ml.t2.large)"),
        ("ml.g5.xlarge", "ml.c5.xlarge", "gpu", "with METRIC=gpu, and ml.c5.xlarge has no GPU"),
        ("ml.g5.xlarge", "ml.g5.2xlarge", "gpu", "comes back when that serves"),
        ("ml.g5.xlarge", "ml.c5.xlarge", "cpu", "comes back when that serves"),
    ],
)
def test_a_type_that_cannot_scale_likewise_is_refused(aws: Aws, monkeypatch, now, to, metric, expected):
    """Autoscaling would come back in a form that SageMaker refuses, or that aims at nothing."""
    for name, value in aws.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    account = Account(AccountSettings())
    registered = scaling.Scaling("bert-classifier", "Blue")
    scaling.put(account, registered, scaling.Wanted(1, 4, metric, 60.0, 60, 300), now)
    (found,) = check_scaling(account, live(now), {"InstanceType": to})
    assert expected in found.message
