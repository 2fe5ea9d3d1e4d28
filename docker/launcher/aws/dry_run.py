"""Requests that are shown instead of sent, captured where the AWS library would send them."""

import io
import json
from typing import Any

import boto3
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

_SERVICES = ("sagemaker", "sagemaker-runtime", "application-auto-scaling", "cloudwatch")
_READS = ("Describe", "List", "Get", "BatchGet", "Simulate", "Head")


class HeldRequests:
    """Holds back requests that change something in SageMaker or for an endpoint, or ask a model; reading ones are sent.

    Attributes:
        held: (operation, request) in order.
    """

    def __init__(self, session: boto3.Session) -> None:
        self.held: list[tuple[str, dict[str, Any]]] = []
        for service in _SERVICES:
            session.events.register(f"before-send.{service}", self._hold)

    def _hold(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        if operation.startswith(_READS):
            return None
        self.held.append((operation, _content_of(request)))
        raw = urllib3.HTTPResponse(io.BytesIO(b"{}"), status=200, preload_content=False)
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.1"}, raw)

    def __str__(self) -> str:
        return json.dumps([{operation: body} for operation, body in self.held], indent=2, ensure_ascii=False)


def _content_of(request: AWSPreparedRequest) -> dict[str, Any]:
    """Return a request's body; of a request to a model, address and headers too."""
    if "X-Amz-Target" in request.headers:
        body: dict[str, Any] = json.loads(request.body or "{}")
        return body
    raw = request.body or b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    headers = {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
        if name.lower() in ("content-type", "accept") or name.lower().startswith("x-amzn-sagemaker-")
    }
    return {"url": request.url, "headers": headers, "body": text}
