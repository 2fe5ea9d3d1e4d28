"""What tests of models on AWS share: an artifact and an image that are there, and how to deploy them."""

from collections.abc import Callable
from typing import Any

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.aws_stand_in import Answer

TAG = "cpu-0123456789ab"
GPU_TAG = "gpu-0123456789ab"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/bert-classifier"
ARTIFACT = f"s3://{BUCKET}/mine/jobs/a-job/output/model.tar.gz"
# The tag of everything that the launcher makes.
OWN_TAG = {"Key": "bert-classifier:made-by", "Value": "launcher"}
WITH_MODEL = (f"--role={ROLE}", f"--image-tag={TAG}", f"--model-data={ARTIFACT}")


def prepare(aws: Aws) -> None:
    """Put image and artifact where WITH_MODEL says."""
    aws.put_image("bert-classifier", TAG)
    aws.put_artifact()


@pytest.fixture
def deploy(aws: Aws) -> Callable[..., Ended]:
    """Return a function that deploys an artifact and an image that are there."""
    prepare(aws)
    return lambda *arguments, here=aws: here.launch("deploy", *WITH_MODEL, *arguments)


def only(requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one request there is."""
    (request,) = requests
    return request


def described(status: str, config: str, **more: object) -> Answer:
    """Return SageMaker's description of the endpoint."""
    endpoint = {"EndpointName": "bert-classifier", "EndpointStatus": status, "EndpointConfigName": config}
    return Answer.json({**endpoint, **more})


def left(aws: Aws) -> tuple[int, int, int]:
    """Return how many endpoints, configurations and models there are."""
    client = aws.client("sagemaker")
    return (
        len(client.list_endpoints()["Endpoints"]),
        len(client.list_endpoint_configs()["EndpointConfigs"]),
        len(client.list_models()["Models"]),
    )


def updating(aws: Aws) -> Any:
    """Return an answer to UpdateEndpoint, which moto does not know: the endpoint has the configuration at once."""

    def update(request: dict[str, Any]) -> Answer:
        client = aws.client("sagemaker")
        client.delete_endpoint(EndpointName=request["EndpointName"])
        client.create_endpoint(**{name: request[name] for name in ("EndpointName", "EndpointConfigName")})
        return Answer.json({"EndpointArn": "arn"})

    return update
