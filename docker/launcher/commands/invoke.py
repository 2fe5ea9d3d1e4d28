"""`invoke`: send a text or a file to an endpoint, and print one line per prediction."""

import dataclasses
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.settings import boolean, integer
from launcher.aws import endpoint
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import code_of
from launcher.aws.s3 import Location
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.account import AccountSettings, chosen
from launcher.settings.fields import text as text_field
from launcher.settings.inference import LONGEST_ANSWER, MEDIA_TYPES, endpoint_name

_MOST_BYTES = 25_000_000  # of a real-time request
_POLL_S = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class InvokeSettings(AccountSettings):
    """The settings of `invoke`."""

    endpoint: str = endpoint_name("Name of the endpoint.")
    text: str = text_field("", "a text", "Text to classify.", longest=100_000)
    file: str = text_field(
        "", "a file", "Instead of TEXT: a .json, .jsonl, .csv or .txt file with several texts."
    )
    content_type: str = text_field("", "a media type", "Media type of the file; default: by its suffix.")
    accept: str = text_field("application/json", "a media type", "Media type of the response.")
    top_k: int | None = integer(None, 1, 1000, "With TEXT: number of classes to list, most likely first.")
    raw: bool = boolean(False, "Print the response as it is.")
    invocation_timeout: int = integer(900, 1, LONGEST_ANSWER, "Async: seconds to wait for the response.")


@dataclasses.dataclass(frozen=True)
class Request:
    """A request's body and its media type."""

    body: bytes
    content_type: str


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
    elif settings.raw or not is_listed(answer):
        sys.stdout.write(answer if answer.endswith("\n") else f"{answer}\n")
    else:
        print("\n".join(lines_of(json.loads(answer))))
    return 0


def _unused(settings: InvokeSettings, asynchronous: bool) -> dict[str, str]:
    """Return which settings do nothing for this request, and why."""
    unused = {"top_k": "it is for TEXT; a file has its own"} if settings.file else {}
    unused |= {"content_type": "it is for FILE"} if settings.text else {}
    return unused | ({} if asynchronous else {"invocation_timeout": "the endpoint is not asynchronous"})


def request_of(settings: InvokeSettings) -> Request:
    """Return the request's body and media type.

    Raises:
        UserError: when neither or both of text and file are given, or the file cannot be sent.
    """
    if bool(settings.text) == bool(settings.file):
        problem = "TEXT and FILE are both given." if settings.text else "There is nothing to classify."
        raise UserError(problem, 'Give TEXT="…" or FILE=texts.csv.')
    if settings.text:
        body: dict[str, Any] = {"inputs": settings.text}
        if settings.top_k:
            body["parameters"] = {"top_k": settings.top_k}
        return Request(json.dumps(body, ensure_ascii=False).encode(), MEDIA_TYPES[".json"])
    path = Path(settings.file).expanduser()
    content_type = settings.content_type or MEDIA_TYPES.get(path.suffix.lower(), "")
    if not content_type:
        raise UserError(
            f"The media type of {path} is unknown.",
            "Name it *.json, *.jsonl, *.csv or *.txt, or give CONTENT_TYPE.",
        )
    try:
        return Request(path.read_bytes(), content_type)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Correct FILE.") from error


def _send(settings: InvokeSettings, request: Request, account: Account) -> str:
    if len(request.body) > _MOST_BYTES:
        raise UserError(
            f"{len(request.body) / 1e6:.0f} MB exceed the 25 MB that SageMaker takes in one request.",
            "Use make batch-transform, or an endpoint with MODE=async.",
        )
    response = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=settings.endpoint,
        ContentType=request.content_type,
        Accept=settings.accept,
        Body=request.body,
    )
    return str(response["Body"].read().decode("utf-8", "replace"))


def _send_through_s3(
    settings: InvokeSettings, request: Request, output: dict[str, str], account: Account
) -> str:
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
        Accept=settings.accept,
        InputLocation=location.uri,
        InvocationTimeoutSeconds=settings.invocation_timeout,
    )
    if settings.dry_run:
        return ""
    say(f"the response will be at {accepted['OutputLocation']}")
    return _wait_for(account, accepted, settings)


def _wait_for(account: Account, accepted: dict[str, Any], settings: InvokeSettings) -> str:
    deadline = time.monotonic() + settings.invocation_timeout
    while True:
        answer = _read(account, accepted["OutputLocation"])
        if answer is not None:
            return answer
        location = accepted.get("FailureLocation")
        failure = _read(account, location) if location else None
        if failure is not None:
            raise PlatformError(
                f"The request failed: {' '.join(failure.split())[:500]}.", f"Full message: {location}."
            )
        if time.monotonic() > deadline:
            raise PlatformError(
                f"No response came within {settings.invocation_timeout} s.",
                f"It may still appear at {accepted['OutputLocation']}, if you may read there; or raise"
                " INVOCATION_TIMEOUT.",
            )
        time.sleep(_POLL_S)


def _read(account: Account, uri: str) -> str | None:
    location = Location.of(uri)
    try:
        found = account.client("s3").get_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404", "AccessDenied", "403"):
            return None  # without s3:ListBucket a missing key is 403
        raise
    return str(found["Body"].read().decode("utf-8", "replace"))


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


def is_listed(answer: str) -> bool:
    """Whether a response is a JSON list with one object or list per record."""
    try:
        found = json.loads(answer)
    except ValueError:
        return False
    return (
        isinstance(found, list) and bool(found) and all(isinstance(record, dict | list) for record in found)
    )


def lines_of(records: list[Any]) -> list[str]:
    """Return one line per record: score and class, the most likely first; or its error."""
    return [
        "   ".join(_shown(one) for one in (record if isinstance(record, list) else [record]))
        for record in records
    ]


def _shown(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"–      {answer['error']} ({answer.get('code', '')})"
    label = answer.get("label")
    unsure = " (unsure)" if answer.get("unsure") or label is None else ""
    return f"{answer.get('score', 0):.4f} {label if label is not None else '–'}{unsure}"


COMMANDS = (Command("invoke", "classify a text or a file at an endpoint", InvokeSettings, run, "text"),)
