"""What the API's own description says against a request that was sent."""

from typing import Any

import boto3

from launcher.aws.api_model import mistakes

_SESSION = boto3.Session("a", "b", region_name="us-east-1")


def faults(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """Return everything that botocore's model of an operation says against a request."""
    model = _SESSION.client(service).meta.service_model
    return list(mistakes(model.operation_model(operation).input_shape, request))
