"""Requests that are shown instead of sent: the very bytes, held back where the AWS library would send them."""

import io
import json
from typing import Any

import boto3
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

_ASKS = ("Describe", "List", "Get", "BatchGet", "Simulate", "Head")


class HeldRequests:
    """Holds back what a SageMaker client would change; what only asks goes through.

    Attributes:
        held: (operation, request) in order.
    """

    def __init__(self, session: boto3.Session) -> None:
        self.held: list[tuple[str, dict[str, Any]]] = []
        session.events.register("before-send.sagemaker", self._hold)

    def _hold(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        if operation.startswith(_ASKS):
            return None
        self.held.append((operation, json.loads(request.body or "{}")))
        raw = urllib3.HTTPResponse(io.BytesIO(b"{}"), status=200, preload_content=False)
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.1"}, raw)

    def __str__(self) -> str:
        return json.dumps([{operation: body} for operation, body in self.held], indent=2, ensure_ascii=False)
