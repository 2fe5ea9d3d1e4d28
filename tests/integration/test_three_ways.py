"""Estimator, ModelTrainer and boto3 send the same request: each in a Python of its own, with or without the SDK."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.aws.metrics import metric_definitions
from support.aws import BUCKET, HOST_PYTHON, REPOSITORY, ROLE, SDK3_PYTHON, Aws, Ended
from support.aws_stand_in import Answer
from support.fakes import toy_rows
from support.patience import PATIENCE_S

TAG = "gpu-0123456789ab"
PYTHONS = {"estimator": HOST_PYTHON, "modeltrainer": SDK3_PYTHON, "boto3": Path(sys.executable)}
WAYS = list(PYTHONS)
EVERYTHING = (
    "--instance-type=ml.p4d.24xlarge", "--instance-count=2", "--volume-size=100", "--input-mode=FastFile",
    f"--checkpoint-s3-uri=s3://{BUCKET}/earlier", "--environment=A=1 B='two words'", "--tags=team=nlp",
    "--subnets=subnet-1,subnet-2", "--security-group-ids=sg-1", "--volume-kms-key=key-1", "--output-kms-key=key-2",
    "--encrypt-traffic", "--hp=num_train_epochs=2 seeds=3", "--max-run=3600", "--max-wait=3600",
)  # fmt: skip
BEYOND_SETTINGS: dict[str, Any] = {
    "RemoteDebugConfig": {"EnableRemoteDebug": True},
    "MlflowConfig": {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/a"},
    "StoppingCondition": {"MaxPendingTimeInSeconds": 7200},
    "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g6.xlarge"}]},
}  # fmt: skip

Train = Callable[..., Ended]


@pytest.fixture
def train(aws: Aws, tmp_path: Path) -> Train:
    """Return a function that starts a job in the Python of one way, and does not wait for it."""
    data = tmp_path / "texts.csv"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)), encoding="utf-8")
    aws.put_image("bert-classifier", TAG)
    always = ("--role", ROLE, f"--s3-prefix=s3://{BUCKET}/mine", f"--image-tag={TAG}", f"--train={data}")

    def run(way: str, *more: str, here: Aws = aws, command: str = "train-spot", **environ: Any) -> Ended:
        arguments = (*always, "--no-wait", "--job-name=a-job", *more)
        return here.launch(command, *arguments, python=PYTHONS[way], **environ)

    return run


def sent_by_each(train: Train, aws: Aws, *arguments: str, **more: Any) -> list[dict[str, Any]]:
    """Start the job each way, as the SDK that is installed says; return the three requests."""
    for way in WAYS:
        with aws.answering(CreateTrainingJob=Answer.json({"TrainingJobArn": "arn"})) as here:
            ended = train(way, *arguments, here=here, **more)
        assert (ended.code, ended.out) == (0, "a-job\n"), ended.err
        assert ("so boto3 sends the request" in ended.err) == (way == "boto3")
    return aws.requests("CreateTrainingJob")


@pytest.mark.parametrize("arguments", [(), pytest.param(EVERYTHING, marks=pytest.mark.slow)])
def test_three_ways_send_the_same(train: Train, aws: Aws, arguments: tuple[str, ...]) -> None:
    """Field by field, whatever an SDK would add or spell otherwise."""
    by_estimator, by_trainer, by_boto3 = sent_by_each(train, aws, *arguments)
    assert by_estimator == by_boto3
    assert by_trainer == by_boto3
    assert by_boto3["AlgorithmSpecification"]["MetricDefinitions"] == metric_definitions()


@pytest.mark.slow
def test_three_ways_send_what_only_the_api_knows(train: Train, aws: Aws, tmp_path: Path) -> None:
    """Fields of REQUEST, which no SDK needs to have a parameter for; a choice of instances replaces the type."""
    extra = tmp_path / "extra.json"
    extra.write_text(json.dumps(BEYOND_SETTINGS), encoding="utf-8")
    requests = sent_by_each(train, aws, f"--request={extra}", command="train")
    assert requests[0] == requests[1] == requests[2]
    for name in ("RemoteDebugConfig", "MlflowConfig"):
        assert requests[0][name] == BEYOND_SETTINGS[name]
    assert requests[0]["ResourceConfig"] == {
        "InstanceCount": 1, "VolumeSizeInGB": 30, **BEYOND_SETTINGS["ResourceConfig"],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", ["estimator", "modeltrainer"])
def test_the_sdk_s_configuration_adds_what_the_settings_leave_open(
    train: Train, aws: Aws, tmp_path: Path, way: str
) -> None:
    """A VPC, tags and keys that the organisation demands; what the settings say stands."""
    config = tmp_path / "config.yaml"
    vpc = {"Subnets": ["subnet-9"], "SecurityGroupIds": ["sg-9"]}
    defaults = {"VpcConfig": vpc, "Tags": [{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "theirs"}]}
    content = {"SchemaVersion": "1.0", "SageMaker": {"TrainingJob": defaults}}
    config.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    ended = train(way, "--tags=team=nlp", SAGEMAKER_USER_CONFIG_OVERRIDE=str(config))
    assert ended.code == 0, ended.err
    (request,) = aws.requests("CreateTrainingJob")
    assert request["VpcConfig"] == vpc
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags == {"team": "nlp", "cost": "1", "bert-classifier:made-by": "launcher"}


def test_boto3_says_that_the_sdk_s_configuration_does_not_hold(
    train: Train, aws: Aws, tmp_path: Path
) -> None:
    """It would add a VPC that somebody demands; the job is started without it, and that is no secret."""
    config = tmp_path / "config.yaml"
    config.write_text("{}", encoding="utf-8")
    ended = train("boto3", SAGEMAKER_USER_CONFIG_OVERRIDE=str(config))
    assert ended.code == 0, ended.err
    assert f"{config} is for the SageMaker SDK, so its defaults do not hold here" in ended.err


@pytest.mark.parametrize(
    ("python", "via", "expected"),
    [
        ("boto3", "estimator", "needs version 2 of the SageMaker SDK, and it is not installed"),
        ("estimator", "modeltrainer", "needs version 3 of the SageMaker SDK, and version 2 is installed"),
        ("modeltrainer", "estimator", "needs version 2 of the SageMaker SDK, and version 3 is installed"),
    ],
)
def test_a_way_whose_sdk_is_not_installed_is_refused(
    train: Train, aws: Aws, python: str, via: str, expected: str
) -> None:
    """Before anything is asked or uploaded."""
    ended = train(python, f"--via={via}")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert expected in ended.err
    assert aws.stored() == []


@pytest.mark.parametrize(
    ("via", "environment"), [("ModelTrainer", "sdk3"), ("modeltrainer", "sdk3"), ("boto3", "host")]
)
def test_make_takes_the_environment_of_the_way_in_any_case(via: str, environment: str) -> None:
    """As the launcher reads VIA; -n prints the command."""
    command = ["make", "-n", "train-spot", f"VIA={via}"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert f".venv/{environment}/bin/python docker/launcher" in shown.stdout
