"""`delete-endpoint` against moto: what goes, in which order, and what stays."""

import json

import pytest

from support.aws import ROLE
from support.aws_stand_in import Answer
from support.hosting import HOST, TAG, left, only


def test_an_endpoint_is_deleted_with_all_that_was_made_for_it(aws, deploy):
    """Endpoint, configuration, model, in this order; the artifact stays."""
    assert deploy().code == 0
    in_order = ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    shown = aws.launch("delete-endpoint", "--dry-run")
    assert [name for request in json.loads(shown.out) for name in request] == in_order
    assert left(aws) == (1, 1, 1)
    name = only(aws.requests("CreateModel"))["ModelName"]
    ended = aws.launch("delete-endpoint", "bert-classifier")
    assert ended.code == 0, ended.err
    deleted = [operation for operation in aws.operations() if operation.startswith("Delete")]
    assert deleted == in_order
    assert only(aws.requests("DeleteEndpoint")) == {"EndpointName": "bert-classifier"}
    assert only(aws.requests("DeleteEndpointConfig")) == {"EndpointConfigName": name}
    assert only(aws.requests("DeleteModel")) == {"ModelName": name}
    assert left(aws) == (0, 0, 0)
    assert "mine/jobs/a-job/output/model.tar.gz" in aws.stored()
    assert "There is no endpoint bert-classifier" in aws.launch("delete-endpoint").err


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_remove(aws, deploy):
    """And removes nothing."""
    assert deploy().code == 0
    ended = aws.launch("delete-endpoint", "--dry-run")
    assert ended.code == 0, ended.err
    assert "would remove endpoint config" in ended.err
    assert "removed" not in ended.err
    assert left(aws) == (1, 1, 1)


@pytest.mark.slow
def test_what_others_have_made_for_an_endpoint_stays(aws):
    """A model under another name may serve elsewhere as well: it is named, and stays."""
    client = aws.client("sagemaker")
    client.create_model(
        ModelName="shared", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": f"{HOST}:{TAG}"}
    )
    variant = {
        "VariantName": "a",
        "ModelName": "shared",
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="bert-classifier", EndpointConfigName="theirs")
    ended = aws.launch("delete-endpoint")
    assert ended.code == 0
    assert "model shared stays: it was not created by deploy" in ended.err
    assert left(aws) == (0, 1, 1)


def test_what_another_endpoint_uses_stays(aws, deploy):
    """A second endpoint with the same configuration, which this one's deletion must not break: both parts stay."""
    assert deploy().code == 0
    name = only(aws.requests("CreateModel"))["ModelName"]
    aws.client("sagemaker").create_endpoint(EndpointName="canary", EndpointConfigName=name)
    ended = aws.launch("delete-endpoint")
    assert ended.code == 0, ended.err
    assert f"endpoint config {name} stays: the endpoint canary uses it" in ended.err
    assert f"model {name} stays: the endpoint canary uses it" in ended.err
    assert left(aws) == (1, 1, 1)


def test_parts_stay_where_others_cannot_be_seen(aws, deploy):
    """Without permission to list endpoints the endpoint goes, and its parts stay, with the reason."""
    assert deploy().code == 0
    name = only(aws.requests("CreateModel"))["ModelName"]
    with aws.answering(ListEndpoints=Answer.refusal("AccessDeniedException", "not allowed")) as here:
        ended = here.launch("delete-endpoint")
    assert ended.code == 0, ended.err
    assert f"model {name} stays: whether another endpoint uses it cannot be seen" in ended.err
    assert left(aws) == (0, 1, 1)
