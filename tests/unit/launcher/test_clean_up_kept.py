"""`clean-up` leaves what somebody uses and what the launcher has not made, and says so."""

import pytest

from support.aws import BUCKET, ROLE
from support.aws_stand_in import Answer
from support.hosting import ARTIFACT, OWN_TAG, WITH_MODEL, left, prepare, updating

AT = f"s3://{BUCKET}/mine"
THEIR_TAG = {"Key": "owner", "Value": "somebody-else"}
S3 = ("--s3", f"--s3-prefix={AT}", "--confirm=yes")


def their_endpoint(aws, name: str, config: str = "theirs") -> str:
    """Make an endpoint with the launcher's artifact, by other means; return its ARN."""
    client = aws.client("sagemaker")
    if config == "theirs":
        container = {"Image": "an-image", "ModelDataUrl": ARTIFACT}
        client.create_model(ModelName="theirs", PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {
            "VariantName": "v",
            "ModelName": "theirs",
            "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": 1,
        }
        client.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant])
    return str(client.create_endpoint(EndpointName=name, EndpointConfigName=config)["EndpointArn"])


def test_the_artifact_of_a_model_package_stays(aws, launch, register):
    """The registry's record would be worth nothing without it; checkpoints of the job go."""
    assert register().code == 0
    assert launch("approve", "bert-classifier:1").code == 0
    aws.put("mine/checkpoints/a-job/1", "x")
    ended = launch("clean-up", "a-job", *S3)
    assert ended.code == 0, ended.err
    assert f"S3 folder {AT}/jobs/a-job/ stays: the model package bert-classifier:1 needs it" in ended.err
    assert ARTIFACT.removeprefix(f"s3://{BUCKET}/") in aws.stored()
    assert "mine/checkpoints/a-job/1" not in aws.stored()


def test_the_artifact_of_a_live_endpoint_or_of_a_model_stays(aws, launch):
    """Whoever made them and whatever they are called."""
    prepare(aws)
    their_endpoint(aws, "prod")
    ended = launch("clean-up", "a-job", *S3)
    assert f"S3 folder {AT}/jobs/a-job/ stays: the endpoint prod needs it" in ended.err
    aws.client("sagemaker").delete_endpoint(EndpointName="prod")
    ended = launch("clean-up", "a-job", *S3)
    assert f"S3 folder {AT}/jobs/a-job/ stays: the model theirs needs it" in ended.err
    assert ARTIFACT.removeprefix(f"s3://{BUCKET}/") in aws.stored()
    aws.client("sagemaker").delete_model(ModelName="theirs")
    assert launch("clean-up", "a-job", *S3).code == 0
    assert not aws.stored()


def test_what_an_endpoint_elsewhere_serves_with_stays(aws, launch, served):
    """Configuration and model of an endpoint that is not under the prefix."""
    config = served("--endpoint=trial")
    their_endpoint(aws, "prod", config)
    ended = launch("clean-up", "trial", "--confirm=yes")
    assert ended.code == 0, ended.err
    assert f"endpoint config {config} stays: the endpoint prod needs it" in ended.err
    assert f"model {config} stays: the endpoint prod needs it" in ended.err
    assert left(aws) == (1, 1, 1)


def test_what_an_endpoint_changes_to_stays(aws, launch, served):
    """SageMaker does not delete an endpoint that is being updated; its next version must be there."""
    now = served("--endpoint=trial")
    with aws.answering(UpdateEndpoint=Answer.json({"EndpointArn": "arn"})) as here:
        launch("deploy", *WITH_MODEL, "--endpoint=trial", "--no-wait", "--environment=A=1", here=here)
    assert left(aws) == (1, 2, 2)
    with aws.answering(DeleteEndpoint=Answer.refusal("ValidationException", "is in progress")) as here:
        ended = launch("clean-up", "trial", "--confirm=yes", here=here)
    assert ended.code == 2
    assert ended.err.count("stays: the endpoint trial needs it") == 4
    assert left(aws) == (1, 2, 2)
    client = aws.client("sagemaker")
    arn = their_endpoint(aws, "prod")
    client.delete_endpoint(EndpointName="trial")
    described = {
        "EndpointName": "prod",
        "EndpointArn": arn,
        "EndpointStatus": "Updating",
        "EndpointConfigName": "theirs",
        "PendingDeploymentSummary": {"EndpointConfigName": now},
    }
    with aws.answering(DescribeEndpoint=Answer.json(described)) as here:
        ended = launch("clean-up", "trial", "--confirm=yes", here=here)
    assert ended.err.count("stays: the endpoint prod needs it") == 2
    assert left(aws) == (1, 2, 2)


def test_an_endpoint_of_others_stays_also_when_deploy_has_updated_it(aws, launch):
    """The tag of the endpoint decides, not the name of its configuration."""
    prepare(aws)
    their_endpoint(aws, "theirs")
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        assert launch("deploy", *WITH_MODEL, "--endpoint=theirs", here=here).code == 0
    ended = launch("clean-up", "theirs", "--confirm=yes")
    assert ended.code == 0, ended.err
    assert "without the launcher's tag, so it stays: theirs" in ended.err
    assert left(aws) == (1, 2, 2)


def test_a_stamped_name_without_the_tag_is_only_shown(aws, launch):
    """The SDK's names look like this, too."""
    name = "demo-xgboost-2026-01-31-12-00-00"
    client = aws.client("sagemaker")
    client.create_model(
        ModelName=name, PrimaryContainer={"Image": "xgboost:1"}, ExecutionRoleArn=ROLE, Tags=[THEIR_TAG]
    )
    ended = launch("clean-up", "demo-xgboost", "--confirm=yes")
    assert f"without the launcher's tag, so it stays: {name}" in ended.err
    assert left(aws) == (0, 0, 1)
    client.add_tags(ResourceArn=client.describe_model(ModelName=name)["ModelArn"], Tags=[OWN_TAG])
    assert launch("clean-up", "demo-xgboost", "--confirm=yes").code == 0
    assert left(aws) == (0, 0, 0)


@pytest.mark.parametrize("command", [("delete-endpoint",), ("clean-up", "--confirm=yes")])
def test_a_long_name_is_known_though_the_time_shortens_it(aws, launch, served, command):
    """Configuration and model have the first 43 characters of the endpoint's name."""
    name = "team-sentiment-" + "x" * 35
    served(f"--endpoint={name}")
    ended = launch(command[0], name, *command[1:])
    assert ended.code == 0, ended.err
    assert left(aws) == (0, 0, 0)
