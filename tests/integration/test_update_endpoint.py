"""`deploy` where an endpoint is there already: what is kept, what is shown, what is refused."""

from pathlib import Path

import pytest

from support.aws import ROLE
from support.aws_stand_in import Answer
from support.hosting import ARTIFACT, OWN_TAG, TAG, described, left, only, updating


def test_an_endpoint_that_is_there_is_updated_and_the_former_model_goes(aws, deploy):
    """UpdateEndpoint instead of a new one; what it had before is removed once it serves with the new model."""
    assert deploy().code == 0
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        ended = deploy("--environment=SERVING_THREADS=1", here=here)
    assert ended.code == 0, ended.err
    first, second = (request["EndpointConfigName"] for request in aws.requests("CreateEndpointConfig"))
    assert only(aws.requests("UpdateEndpoint")) == {
        "EndpointName": "bert-classifier",
        "EndpointConfigName": second,
        "RetainAllVariantProperties": True,
    }
    assert only(aws.requests("DeleteEndpointConfig")) == {"EndpointConfigName": first}
    assert only(aws.requests("DeleteModel")) == {"ModelName": first}
    assert left(aws) == (1, 1, 1)
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        assert f"the former configuration {second} stays" in deploy("--no-wait", here=here).err


def test_an_update_keeps_what_operators_have_tuned_and_shows_what_changes(aws, deploy):
    """Type, count, environment, role and tags stay unless they are set; the changes are shown first."""
    tuned = ("--instance-type=ml.c5.2xlarge", "--instance-count=3", "--environment=A=1", "--tags=team=nlp")
    assert deploy(*tuned).code == 0
    without_role = (f"--image-tag={TAG}", f"--model-data={ARTIFACT}")
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        ended = here.launch("deploy", *without_role, "--startup-timeout=900", "--environment=A=2 B=3")
    assert ended.code == 0, ended.err
    config, model = aws.requests("CreateEndpointConfig")[-1], aws.requests("CreateModel")[-1]
    (variant,) = config["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c5.2xlarge", 3)
    assert (config["Tags"], model["ExecutionRoleArn"]) == (
        [{"Key": "team", "Value": "nlp"}, OWN_TAG],
        ROLE,
    )
    assert [line.split() for line in ended.err.splitlines() if line.startswith("  ")][:4] == [
        ["setting", "now", "new"],
        ["Environment.A", "1", "2"],
        ["STARTUP_TIMEOUT", "600", "900"],
        ["Environment.B", "–", "3"],
    ]


@pytest.mark.slow
def test_only_tags_that_are_named_go_to_the_endpoint_once_it_changes(aws, deploy):
    """They may differ from its configuration's; without the permission, the update continues with a note."""
    assert deploy("--tags=team=nlp").code == 0
    with aws.answering(UpdateEndpoint=updating(aws), AddTags=Answer.json({})) as here:
        ended = deploy("--tags=stage=test", here=here)
    assert ended.code == 0, ended.err
    assert [name for name, _ in aws.answered if name in ("UpdateEndpoint", "AddTags")] == [
        "UpdateEndpoint",
        "AddTags",
    ]
    assert only(aws.requests("AddTags"))["Tags"] == [{"Key": "stage", "Value": "test"}]
    denied = Answer.refusal("AccessDeniedException")
    with aws.answering(UpdateEndpoint=updating(aws), AddTags=denied) as here:
        ended = deploy("--tags=stage=test", here=here)
    assert ended.code == 0, ended.err
    assert "the endpoint has no new tags, but its configuration has: You may not call AddTags" in ended.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--memory-size=2048",), "MEMORY_SIZE would do nothing: it is for MODE=serverless. Leave it out."),
        (
            ("--mode=serverless", "--instance-type=ml.c5.xlarge"),
            "INSTANCE_TYPE would do nothing: a serverless",
        ),
        (("--async-concurrency=2",), "ASYNC_CONCURRENCY would do nothing: it is for MODE=async"),
        (("--image-uri=x", f"--image-tag={TAG}"), "IMAGE_TAG would do nothing: IMAGE_URI names the image"),
    ],
)
def test_settings_of_another_mode_are_refused(deploy, aws, arguments, expected):
    """Where somebody typed them for this command; nothing is made."""
    ended = deploy(*arguments)
    assert ended.code == 2
    assert expected in ended.err
    assert left(aws) == (0, 0, 0)


def test_the_file_may_hold_settings_of_all_modes(deploy, aws):
    """It serves all commands."""
    path = aws.environ["LAUNCHER_SETTINGS_FILE"]
    Path(path).write_text('memory_size = 2048\nasync_concurrency = 2\ninput = "x.csv"\n', encoding="utf-8")
    assert deploy().code == 0


def test_an_update_that_fails_leaves_the_endpoint_as_it_was(aws, deploy):
    """The new configuration and model are removed again, the former ones stay."""
    assert deploy().code == 0
    first = only(aws.requests("CreateEndpointConfig"))["EndpointConfigName"]
    still = described("InService", first, FailureReason="The new container did not answer pings.")
    with aws.answering(UpdateEndpoint=Answer.json({}), DescribeEndpoint=still) as here:
        ended = deploy(here=here)
    assert ended.code == 3
    assert "did not come up: The new container did not answer pings." in ended.err
    assert left(aws) == (1, 1, 1)
    assert aws.client("sagemaker").list_models()["Models"][0]["ModelName"] == first
