"""`invoke`: send a text or a file to an endpoint, and print one line per prediction."""

import dataclasses
import hashlib
import json
import sys
import time
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import PlatformError, UserError
from launcher.aws import endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import code_of
from launcher.aws.s3 import Location
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.commands.answer_lines import lines_of
from launcher.findings import refuse_failures
from launcher.inputs.request import Request, accept_of, request_of
from launcher.settings.account import chosen
from launcher.settings.invocation import InvokeSettings
from launcher.settings.reading import READING

_MOST_BYTES = 25_000_000  # of a real-time request
_POLL_S = 2.0


def run(settings: InvokeSettings, account: Account) -> int:
    """Send the request and print the predictions; return 0.

    Raises:
        UserError: when there is no such endpoint, no text, or the server refuses the request.
        PlatformError: when the server fails.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    text, path = chosen(settings, "text", "file")
    settings = dataclasses.replace(settings, text=text, file=path)
    request = request_of(settings)
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Create it: make deploy."
        )
    if found["EndpointStatus"] not in ("InService", "Updating", "SystemUpdating"):
        raise UserError(
            f"The endpoint {settings.endpoint} is {found['EndpointStatus']}.", "Wait until it is InService."
        )
    asynchronous = found.get("AsyncInferenceConfig")
    refuse_failures(list(check_unused(settings, _unused(settings, bool(asynchronous)))))
    try:
        if asynchronous:
            answer = _send_through_s3(settings, request, asynchronous["OutputConfig"], account)
        else:
            answer = _send(settings, request, account)
    except ClientError as error:
        if code_of(error) == "ModelError":
            raise refusal_of(settings.endpoint, error.response) from error
        raise
    if held is not None:
        print(held)
    else:
        show(answer, raw=settings.raw, is_one=bool(settings.text))
    return 0


def show(answer: bytes, *, raw: bool, is_one: bool) -> None:
    """Print an answer: byte for byte if raw, else a line per prediction where it is JSON.

    Raises:
        UserError: for bytes that are no text, which a terminal cannot show.
    """
    try:
        text = answer.decode()
    except UnicodeDecodeError as error:
        if not raw:
            raise UserError(
                "The response is no text, such as an array of NumPy.",
                "Give RAW=true, and send the output to a file.",
            ) from error
        sys.stdout.flush()
        sys.stdout.buffer.write(answer)
        return
    lines = [] if raw else lines_of(text, is_one=is_one)
    print("\n".join(lines) if lines else text.removesuffix("\n"))


def _unused(settings: InvokeSettings, asynchronous: bool) -> dict[str, str]:
    """Return which settings do nothing for this request, and why."""
    for_files = ("content_type", *READING)
    if settings.text:
        unused = dict.fromkeys(for_files, "it is for FILE")
    else:
        unused = {"text_pair": "it is for TEXT"} | (
            dict.fromkeys(READING, "CONTENT_TYPE tells how to read the file") if settings.content_type else {}
        )
    if any(name in settings.accept.lower() for name in ("top_k", "output", "return_all_scores")):
        unused["top_k"] = "ACCEPT says which classes"
    if asynchronous:
        return unused | {"component": "SageMaker asks no inference component asynchronously"}
    return unused | {"invocation_timeout": "the endpoint is not asynchronous"}


def _send(settings: InvokeSettings, request: Request, account: Account) -> bytes:
    if len(request.body) > _MOST_BYTES:
        raise UserError(
            f"{len(request.body) / 1e6:.0f} MB exceed the 25 MB that SageMaker takes in one request.",
            "Use make batch-transform, or an endpoint with MODE=async.",
        )
    component = {"InferenceComponentName": settings.component} if settings.component else {}
    response = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=settings.endpoint,
        ContentType=request.content_type,
        Accept=accept_of(settings),
        Body=request.body,
        **component,
    )
    return bytes(response["Body"].read())


def _send_through_s3(
    settings: InvokeSettings, request: Request, output: dict[str, str], account: Account
) -> bytes:
    """Upload the request, send it, and wait for the response in S3."""
    folder = Location.of(output["S3OutputPath"]).as_folder()
    parent = folder.key.removesuffix("output/")
    digest = hashlib.sha256(request.body).hexdigest()[:16]
    location = Location(folder.bucket, f"{parent}input/{digest}")
    key = output.get("KmsKeyId", "")
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    if not settings.dry_run:
        account.client("s3").put_object(Bucket=location.bucket, Key=location.key, Body=request.body, **extra)
    accepted = account.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=settings.endpoint,
        ContentType=request.content_type,
        Accept=accept_of(settings),
        InputLocation=location.uri,
        InvocationTimeoutSeconds=settings.invocation_timeout,
    )
    if settings.dry_run:
        return b""
    say(f"the response will be at {accepted['OutputLocation']}")
    return _wait_for(account, accepted, settings)


def _wait_for(account: Account, accepted: dict[str, Any], settings: InvokeSettings) -> bytes:
    deadline = time.monotonic() + settings.invocation_timeout
    while True:
        answer = _read(account, accepted["OutputLocation"])
        if answer is not None:
            return answer
        location = accepted.get("FailureLocation")
        failure = _read(account, location) if location else None
        if failure is not None:
            reason = " ".join(failure.decode("utf-8", "replace").split())[:500]
            raise PlatformError(f"The request failed: {reason}.", f"Full message: {location}.")
        if time.monotonic() > deadline:
            raise PlatformError(
                f"No response came within {settings.invocation_timeout} s.",
                f"It may still appear at {accepted['OutputLocation']}, if you may read there; or raise"
                " INVOCATION_TIMEOUT.",
            )
        time.sleep(_POLL_S)


def _read(account: Account, uri: str) -> bytes | None:
    location = Location.of(uri)
    try:
        found = account.client("s3").get_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404", "AccessDenied", "403"):
            return None  # without s3:ListBucket a missing key is 403
        raise
    return bytes(found["Body"].read())


def refusal_of(name: str, response: dict[str, Any]) -> UserError | PlatformError:
    """Return the error for a request that the container has refused, in the container's words.

    Args:
        response: of the ModelError.
    """
    status = int(response.get("OriginalStatusCode") or 500)
    message = str(
        response.get("OriginalMessage") or response.get("Error", {}).get("Message", "no reason given")
    )
    try:
        body = json.loads(message)
        message = f"{body['error']} ({body['code']})"
    except (ValueError, KeyError, TypeError):
        message = " ".join(message.split())[:300]
    cause = f"The endpoint {name} answered {status}: {message.rstrip('.')}."
    if 400 <= status < 500:
        return UserError(cause, "Correct the request; container/README.md describes the Serving API.")
    return PlatformError(
        cause, f"Its log: {response.get('LogStreamArn') or f'/aws/sagemaker/Endpoints/{name}'}."
    )


COMMANDS = (Command("invoke", "classify a text or a file at an endpoint", InvokeSettings, run, "text"),)
