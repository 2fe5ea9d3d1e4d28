"""What an update keeps of an endpoint that is there: everything that nobody has said otherwise."""

import dataclasses
from typing import Any

import pytest

from bert_classifier.errors import UserError
from launcher.aws import endpoint, endpoint_update
from launcher.aws.account import Account
from launcher.aws.live_endpoint import LiveEndpoint
from launcher.aws.model import Model
from launcher.aws.s3 import Location
from launcher.checks.endpoint import check_mode, check_scaling
from launcher.settings.account import AccountSettings
from launcher.settings.inference import DeploySettings
from support.aws import ROLE, Aws
from support.aws_stand_in import Answer
from support.hosting import OWN_TAG

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://a-bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}
VARIANT = {
    "VariantName": "Blue",
    "ModelName": "bert-classifier-2026-01-01-00-00-00",
    "InitialInstanceCount": 2,
    "InstanceType": "ml.c5.2xlarge",
    "InitialVariantWeight": 0.5,
    "VolumeSizeInGB": 50,
    "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
    "EnableSSMAccess": True,
}
MODEL = {
    "PrimaryContainer": {
        "Image": "an-image", "ModelDataUrl": "s3://a-bucket/old.tar.gz", "Environment": {"SERVING_THREADS": "2"},
    },
    "ExecutionRoleArn": ROLE,
    "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "EnableNetworkIsolation": True,
}  # fmt: skip


def live(
    config: dict[str, Any] | None = None, variant: dict[str, Any] | None = None, **more: Any
) -> LiveEndpoint:
    """Return an endpoint that operators have tuned."""
    described = {
        "EndpointConfigName": "old",
        "EndpointConfigArn": "arn",
        "ProductionVariants": [variant or VARIANT],
        "DataCaptureConfig": CAPTURE,
        "KmsKeyId": "key-1",
        "EnableNetworkIsolation": False,  # as SageMaker describes it beside a model that is isolated
        **(config or {}),
    }
    summary = {"VariantName": "Blue", "DesiredInstanceCount": 5}
    expected = {
        "EndpointName": "bert-classifier",
        "EndpointArn": "arn",
        "ProductionVariants": [summary],
        **more,
    }
    return LiveEndpoint(expected, described, MODEL, {"team": "nlp"})


def updated(there: LiveEndpoint, **said: Any) -> tuple[DeploySettings, dict[str, Any]]:
    """Return settings and configuration of an update with some settings."""
    settings = there.keep(DeploySettings(**said, given=frozenset(said)))
    folder = there.async_folder(settings) or Location("a-bucket", "new/")
    return settings, endpoint_update.next_config(
        there, settings, endpoint.config_request(settings, "new", folder)
    )


def test_an_update_without_settings_changes_only_the_model():
    """Instances as autoscaling has set them, weight, routing, capture, key, access: all of the configuration."""
    settings, request = updated(live())
    assert request == {
        "EndpointConfigName": "new",
        "ProductionVariants": [{**VARIANT, "ModelName": "new", "InitialInstanceCount": 5}],
        "DataCaptureConfig": CAPTURE,
        "KmsKeyId": "key-1",
        "Tags": [{"Key": "team", "Value": "nlp"}, OWN_TAG],
    }
    assert (settings.role, settings.network_isolation) == (ROLE, True)
    assert settings.vpc_config == MODEL["VpcConfig"]
    assert dict(settings.environment) == {"SERVING_THREADS": "2"}
    assert (settings.instance_type, settings.image_flavour) == ("ml.c5.2xlarge", "cpu")
    assert endpoint_update.update_request(live(), settings, "new") == {
        "EndpointName": "bert-classifier",
        "EndpointConfigName": "new",
        "RetainAllVariantProperties": True,
    }


def test_what_is_said_changes_and_nothing_else():
    """Each setting its own field; a count that is said counts before the one of autoscaling."""
    said = {
        "instance_count": 1,
        "instance_type": "ml.c5.xlarge",
        "startup_timeout": 900,
        "tags": (("a", "b"),),
    }
    settings, request = updated(live(LastDeploymentConfig={"x": 1}), **said)
    assert request["ProductionVariants"] == [
        {
            **VARIANT, "ModelName": "new", "InitialInstanceCount": 1, "InstanceType": "ml.c5.xlarge",
            "ContainerStartupHealthCheckTimeoutInSeconds": 900,
        }
    ]  # fmt: skip
    assert settings.tags == (("team", "nlp"), ("a", "b"))
    update = endpoint_update.update_request(live(LastDeploymentConfig={"x": 1}), settings, "new")
    assert update["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DesiredInstanceCount"}]
    assert update["RetainDeploymentConfig"] is True


def test_a_serverless_endpoint_stays_one():
    """With its memory and its provisioned concurrency; it retains no instances."""
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 9, "ProvisionedConcurrency": 3}
    there = live(
        {"DataCaptureConfig": {}, "KmsKeyId": None}, {**only_names(), "ServerlessConfig": serverless}
    )
    settings, request = updated(there, max_concurrency=20)
    (variant,) = request["ProductionVariants"]
    assert settings.mode == "serverless"
    assert variant["ServerlessConfig"] == {**serverless, "MaxConcurrency": 20}
    assert "RetainAllVariantProperties" not in endpoint_update.update_request(there, settings, "new")


def only_names() -> dict[str, Any]:
    """Return a variant without instances."""
    return {"VariantName": "Blue", "ModelName": "m", "InitialVariantWeight": 1.0}


def test_another_mode_is_another_endpoint_for_its_variant():
    """What the new mode has not goes, and is in the table."""
    there = live()
    settings, request = updated(there, mode="serverless")
    assert request["ProductionVariants"] == [
        {
            "VariantName": "Blue",
            "ModelName": "new",
            "ServerlessConfig": {"MemorySizeInMB": 4096, "MaxConcurrency": 5},
        }
    ]
    assert "DataCaptureConfig" not in request
    names = [name for name, *_ in endpoint_update.changes(there, model_request(settings), request)]
    assert {"INSTANCE_TYPE", "DataCaptureConfig.EnableCapture", "MEMORY_SIZE"} <= set(names)


def test_an_asynchronous_endpoint_keeps_its_places_and_notifications():
    """Only what is said of them changes."""
    output = {"S3OutputPath": "s3://a-bucket/mine/output/", "NotificationConfig": {"ErrorTopic": "arn"}}
    asynchronous = {"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4}}
    there = live({"AsyncInferenceConfig": asynchronous})
    settings, request = updated(there)
    assert settings.mode == "async"
    assert there.async_folder(settings) == Location("a-bucket", "mine/")
    assert request["AsyncInferenceConfig"] == asynchronous
    _, request = updated(there, async_concurrency=2, output_kms_key="k", s3_prefix="s3://a-bucket/other")
    assert request["AsyncInferenceConfig"]["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 2}
    assert request["AsyncInferenceConfig"]["OutputConfig"] == {
        "S3OutputPath": "s3://a-bucket/new/output/",
        "S3FailurePath": "s3://a-bucket/new/failures/",
        "KmsKeyId": "k",
        "NotificationConfig": {"ErrorTopic": "arn"},
    }


def test_the_host_software_of_another_machine_is_not_kept():
    """It is chosen anew for the type that is said."""
    there = live(variant={**VARIANT, "InstanceType": "ml.g4dn.xlarge", "InferenceAmiVersion": "al2-ami-x"})
    assert updated(there)[1]["ProductionVariants"][0]["InferenceAmiVersion"] == "al2-ami-x"
    assert (
        "InferenceAmiVersion" not in updated(there, instance_type="ml.c5.xlarge")[1]["ProductionVariants"][0]
    )


def test_the_same_type_keeps_the_host_software():
    """To say the type that is there changes nothing."""
    there = live(variant={**VARIANT, "InstanceType": "ml.g4dn.xlarge", "InferenceAmiVersion": "al2-ami-x"})
    (variant,) = updated(there, instance_type="ml.g4dn.xlarge")[1]["ProductionVariants"]
    assert variant["InferenceAmiVersion"] == "al2-ami-x"


def model_request(settings: DeploySettings, data: str = "s3://a-bucket/new.tar.gz") -> dict[str, Any]:
    """Return the request of the next model."""
    return Model(settings, "new", "an-image", data, dict(settings.environment)).request(settings.role)


def test_the_table_has_what_changes_and_nothing_else():
    """Setting, now, new; a value that is not set is a dash."""
    there = live()
    settings, request = updated(
        there, instance_type="ml.c5.xlarge", environment=(("SERVING_THREADS", "4"), ("A", "b"))
    )
    assert endpoint_update.changes(there, model_request(settings), request) == [
        ("MODEL_DATA", "s3://a-bucket/old.tar.gz", "s3://a-bucket/new.tar.gz"),
        ("Environment.SERVING_THREADS", "2", "4"),
        ("INSTANCE_TYPE", "ml.c5.2xlarge", "ml.c5.xlarge"),
        ("Environment.A", "–", "b"),
    ]


def test_a_model_that_is_gone_is_no_hindrance():
    """The endpoint does not mind; role and environment are then those of the settings."""
    there = dataclasses.replace(live(), model={})
    assert there.keep(DeploySettings(role="mine", given=frozenset({"role"}))).role == "mine"


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        (
            [VARIANT, {**VARIANT, "VariantName": "Green"}],
            "has variants Blue, Green, which deploy would not keep",
        ),
        ([{"VariantName": "Blue", "InstanceType": "ml.c5.xlarge"}], "has inference components"),
        ([VARIANT], "has a container for many models"),
    ],
)
def test_an_endpoint_of_another_form_is_left_alone(aws: Aws, monkeypatch, variants, expected):
    """An update would throw away what it does not know."""
    config = {"EndpointConfigName": "c", "EndpointConfigArn": "arn", "ProductionVariants": variants}
    model = {
        "PrimaryContainer": {"Image": "an-image", "Mode": "MultiModel", "ModelDataUrl": "s3://a-bucket/"}
    }
    answers = {"DescribeEndpointConfig": config, "DescribeModel": model, "ListTags": {"Tags": []}}
    with aws.answering(**{name: Answer.json(expected) for name, expected in answers.items()}) as here:
        for name, value in here.environ.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        described = {"EndpointName": "bert-classifier", "EndpointConfigName": "c"}
        with pytest.raises(UserError, match=expected):
            LiveEndpoint.of(Account(AccountSettings()), described)


def test_tags_are_in_the_table():
    """They are sent, to the endpoint and to its next configuration."""
    settings, request = updated(live(), tags=(("team", "vision"), ("new", "x")))
    rows = endpoint_update.changes(live(), model_request(settings, "s3://a-bucket/old.tar.gz"), request)
    assert rows == [("TAGS.team", "nlp", "vision"), ("TAGS.new", "–", "x")]


def test_a_disk_size_does_not_go_along_to_a_machine_with_a_disk_of_its_own():
    """SageMaker would refuse it there; the table shows that it goes."""
    settings, request = updated(live(), instance_type="ml.g5.xlarge")
    assert "VolumeSizeInGB" not in request["ProductionVariants"][0]
    assert ("VOLUME_SIZE", "50", "–") in endpoint_update.changes(live(), model_request(settings), request)


@pytest.mark.parametrize(
    ("there", "mode", "expected"),
    [
        (
            live({"AsyncInferenceConfig": {"OutputConfig": {}}}),
            "realtime",
            "an asynchronous endpoint stays asynchronous",
        ),
        (live({"AsyncInferenceConfig": {"OutputConfig": {}}}), "async", ""),
        (live(), "serverless", "an endpoint with instances cannot become serverless"),
        (live(), "realtime", ""),
    ],
)
def test_a_mode_that_an_update_cannot_bring_is_refused(there, mode, expected):
    """With what can be done instead."""
    found = list(check_mode(there, mode))
    assert [
        expected in one.message and "delete-endpoint ENDPOINT=bert-classifier" in one.remedy for one in found
    ] == [True] * bool(expected)


@pytest.mark.parametrize(("to", "is_refused"), [("ml.c5.xlarge", True), ("ml.c5.2xlarge", False)])
def test_a_type_that_autoscaling_holds_on_to_is_refused(aws: Aws, monkeypatch, to, is_refused):
    """Until it is deregistered, with the command that does so; the same type is no change."""
    resource = "endpoint/bert-classifier/variant/Blue"
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker", ResourceId=resource, MinCapacity=1, MaxCapacity=4,
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )  # fmt: skip
    for name, value in aws.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    found = list(check_scaling(Account(AccountSettings()), live(), {"InstanceType": to}))
    assert bool(found) == is_refused
    assert all(f"deregister-scalable-target --service-namespace sagemaker --resource-id {resource}" in one.remedy
               for one in found)  # fmt: skip
