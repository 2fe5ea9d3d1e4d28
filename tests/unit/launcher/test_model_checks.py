"""Checks of a model's location and environment without asking AWS."""

import dataclasses

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.aws.account import Account
from launcher.checks.model import check_ami, check_environment
from launcher.checks.unused import check_deploy_settings, check_serverless, without_unusable
from launcher.checks.workload import check_instance
from launcher.commands.status import StatusSettings
from launcher.commands.status import run as status
from launcher.findings import examine
from launcher.settings.account import AccountSettings
from launcher.settings.inference import DeploySettings
from launcher.settings.instances import GPU_AMI

KNOWN = ["ml.m5.xlarge", "ml.g5.xlarge", "ml.m6g.large", "ml.inf2.xlarge", "ml.g5g.xlarge"]


def worst(findings) -> str:
    """Return the sentences of what is not in order."""
    return "; ".join(finding.message for finding in findings if finding.severity is not Severity.OK)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        ({"instance_type": "ml.g5.xlarge"}, ""),
        ({"instance_type": "ml.m5.xlarg"}, "SageMaker has no 'ml.m5.xlarg' for endpoints"),
        ({"instance_type": "ml.m6g.large"}, "ARM machine"),
        ({"instance_type": "ml.g5g.xlarge"}, "ARM machine"),
        ({"instance_type": "ml.inf2.xlarge"}, "Neuron cores"),
        ({"instance_type": "ml.g5.xlarge", "flavour": "cpu"}, "leaves idle"),
    ],
)
def test_an_instance_type_is_checked_against_the_image(settings, expected):
    """Spelling, processor, accelerator, flavour."""
    found = worst(check_instance(DeploySettings(**settings), KNOWN, "endpoints"))
    assert expected in found
    assert bool(expected) == bool(found)


@pytest.mark.parametrize(
    ("environment", "on_gpu", "expected"),
    [
        ({}, False, ""),
        ({"SERVING_PRECISION": "int8", "MY_OWN": "1"}, False, ""),
        ({"SERVING_PRECISION": "int8"}, True, "int8 is for CPUs"),
        (
            {"SERVING_THREDS": "1"},
            False,
            "variable 'SERVING_THREDS', did you mean SERVING_THREADS?",
        ),
        ({"SERVING_THREADS": "no"}, False, "SERVING_THREADS='no' is not a whole number"),
        ({"SAGEMAKER_MULTI_MODEL": "true"}, False, "one model per endpoint"),
    ],
)
def test_the_environment_is_checked_as_the_server_checks_it(environment, on_gpu, expected):
    """With its own parser; variables of other names are none of its business."""
    found = worst(examine("environment", lambda: check_environment(environment, on_gpu=on_gpu)))
    assert expected in found
    assert bool(expected) == bool(found)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        ({"instance_type": "ml.g5.xlarge"}, ""),
        ({"memory_size": 1500}, "no multiple of 1024"),
        ({"network_isolation": True}, "has no network isolation"),
        ({"subnets": ("subnet-1",)}, "has no VPC"),
        ({"flavour": "gpu"}, "has no flavour gpu"),
        ({"volume_kms_key": "k"}, "has no disk key"),
    ],
)
def test_what_a_serverless_endpoint_lacks_is_reported(settings, expected):
    """Memory in its steps; no VPC, isolation, disk or GPU, whatever the instance type of other commands."""
    found = worst(check_serverless(DeploySettings(mode="serverless", **settings)))
    assert expected in found
    assert bool(expected) == bool(found)


@pytest.mark.parametrize(
    ("ami", "instance", "expected"),
    [
        ("", "ml.g5.xlarge", ""),
        (GPU_AMI, "ml.g5.xlarge", ""),
        (GPU_AMI, "ml.m5.xlarge", "is for instances with GPUs"),
        ("none", "ml.g5.xlarge", "no inference AMI none"),
    ],
)
def test_the_host_software_has_the_driver_that_the_image_needs(ami, instance, expected):
    """A known one, and none on CPUs; which driver it has is compared with the image's CUDA."""
    settings = DeploySettings(inference_ami_version=ami, instance_type=instance)
    found = worst(check_ami(settings, [GPU_AMI, "old"]))
    assert expected in found
    assert bool(expected) == bool(found)


@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        (
            {
                "mode": "serverless", "subnets": ("subnet-1",), "security_group_ids": ("sg-1",),
                "volume_kms_key": "k", "volume_size": 30, "network_isolation": True, "flavour": "gpu",
            },
            ["SUBNETS", "SECURITY_GROUP_IDS", "NETWORK_ISOLATION", "VOLUME_KMS_KEY", "VOLUME_SIZE", "FLAVOUR"],
        ),
        ({"instance_type": "ml.g5.xlarge", "volume_size": 30}, ["VOLUME_SIZE"]),
        ({"instance_type": "ml.m5.xlarge", "volume_size": 30, "subnets": ("subnet-1",)}, []),
    ],
)  # fmt: skip
def test_what_the_file_says_for_other_endpoints_is_left_out_with_a_word(settings, left_out):
    """It serves all of them; typed for this endpoint, each is refused."""
    given = DeploySettings(**settings, given=frozenset(settings))
    usable, findings = without_unusable(given)
    assert [finding.message.split()[0] for finding in findings] == left_out
    assert worst(check_serverless(usable) if usable.is_serverless else check_deploy_settings(usable)) == ""
    typed = dataclasses.replace(given, typed=given.given)
    assert without_unusable(typed) == (typed, [])
    refused = [*check_serverless(typed)] if typed.is_serverless else [*check_deploy_settings(typed)]
    assert bool(refused) == bool(left_out)
    assert all(finding.severity is Severity.ERROR for finding in refused)


def test_the_interval_of_metrics_that_are_off_does_nothing():
    """It is refused; without METRICS=off it is not."""
    typed = frozenset({"metrics", "metrics_interval"})
    (finding,) = check_deploy_settings(DeploySettings(metrics="off", metrics_interval="30", typed=typed))
    assert finding.message == "METRICS_INTERVAL would do nothing: METRICS=off publishes none"
    on = DeploySettings(metrics="container", metrics_interval="30", typed=typed)
    assert list(check_deploy_settings(on)) == []


@pytest.mark.parametrize("setting", [{"job": "a-job"}, {"hourly_price": 1.0}])
def test_what_is_for_a_job_does_nothing_beside_a_model_package(setting):
    """Refused before AWS is asked."""
    settings = StatusSettings(model_package="a-group:1", **setting, typed=frozenset(setting))
    with pytest.raises(
        UserError, match=f"{next(iter(setting)).upper()} would do nothing: MODEL_PACKAGE names"
    ):
        status(settings, Account(AccountSettings()))
