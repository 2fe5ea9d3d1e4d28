"""`invoke`: a text or a file to an endpoint, the answers a line each."""

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
from launcher.aws.refusals import code_of
from launcher.aws.s3 import Location
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.declare import AccountSettings, chosen
from launcher.settings.declare import text as text_field
from launcher.settings.idle import check_idle
from launcher.settings.model import DEFAULT_ENDPOINT, ENDPOINT_NAME, LONGEST_ANSWER

MEDIA_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".csv": "text/csv",
    ".txt": "text/plain",
}
_MOST_BYTES = 25_000_000  # of a real-time request
_POLL_S = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class InvokeSettings(AccountSettings):
    """What `invoke` can be told."""

    endpoint: str = text_field(
        DEFAULT_ENDPOINT, "1 to 43 letters, digits and hyphens", "Name of the endpoint.", ENDPOINT_NAME
    )
    text: str = text_field("", "a text", "Text to classify.", longest=100_000)
    file: str = text_field(
        "", "a file", "Instead of TEXT: .json, .jsonl, .csv or .txt, as the serving API takes them."
    )
    content_type: str = text_field("", "a media type", "Form of the file; default: by its suffix.")
    accept: str = text_field("application/json", "a media type", "Form of the answer.")
    top_k: int | None = integer(None, 1, 1000, "With TEXT: list the likeliest classes, so many.")
    raw: bool = boolean(False, "Print the answer as it came.")
    invocation_timeout: int = integer(900, 1, LONGEST_ANSWER, "Async: seconds that the request may take.")


@dataclasses.dataclass(frozen=True)
class Question:
    """A request's body and its form."""

    body: bytes
    content_type: str


def run(settings: InvokeSettings, account: Account) -> int:
    """Ask the endpoint and print its answers; return 0.

    Raises:
        UserError: when there is no such endpoint, nothing to ask, or the server refuses the request.
        PlatformError: when the server fails.
    """
    held = HeldRequests(account.session) if settings.dry_run else None
    asked, path = chosen(settings, "text", "file")
    settings = dataclasses.replace(settings, text=asked, file=path)
    question = question_of(settings)
    found = endpoint.find(account, settings.endpoint)
    if found is None:
        raise UserError(
            f"There is no endpoint {settings.endpoint} in {account.region}.", "Make it: make deploy."
        )
    if found["EndpointStatus"] not in ("InService", "Updating", "SystemUpdating"):
        raise UserError(
            f"The endpoint {settings.endpoint} is {found['EndpointStatus']}.", "Wait until it is InService."
        )
    asynchronous = found.get("AsyncInferenceConfig")
    refuse_failures(list(check_idle(settings, _idle(settings, bool(asynchronous)))))
    try:
        if asynchronous:
            answer = _ask_through_s3(settings, question, asynchronous["OutputConfig"], account)
        else:
            answer = _ask(settings, question, account)
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


def _idle(settings: InvokeSettings, asynchronous: bool) -> dict[str, str]:
    """Return which settings do nothing for this question, and why."""
    idle = {"top_k": "it is for TEXT; in a file it stands itself"} if settings.file else {}
    idle |= {"content_type": "it is for FILE"} if settings.text else {}
    return idle | ({} if asynchronous else {"invocation_timeout": "the endpoint is not asynchronous"})


def question_of(settings: InvokeSettings) -> Question:
    """Return what is asked.

    Raises:
        UserError: when neither or both of text and file are given, or the file is none that can be sent.
    """
    if bool(settings.text) == bool(settings.file):
        raise UserError("Nothing to ask is named." if not settings.text else "Text and file are both given.",
                        'Give TEXT="…" or FILE=texts.csv.')  # fmt: skip
    if settings.text:
        asked: dict[str, Any] = {"inputs": settings.text}
        if settings.top_k:
            asked["parameters"] = {"top_k": settings.top_k}
        return Question(json.dumps(asked, ensure_ascii=False).encode(), MEDIA_TYPES[".json"])
    path = Path(settings.file).expanduser()
    content_type = settings.content_type or MEDIA_TYPES.get(path.suffix.lower(), "")
    if not content_type:
        raise UserError(
            f"The form of {path} cannot be told.",
            "Name it *.json, *.jsonl, *.csv or *.txt, or give CONTENT_TYPE.",
        )
    try:
        return Question(path.read_bytes(), content_type)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Correct FILE.") from error


def _ask(settings: InvokeSettings, question: Question, account: Account) -> str:
    if len(question.body) > _MOST_BYTES:
        raise UserError(
            f"{len(question.body) / 1e6:.0f} MB are more than SageMaker takes in one request (25 MB).",
            "Use make batch-transform, or an endpoint with MODE=async.",
        )
    answered = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=settings.endpoint,
        ContentType=question.content_type,
        Accept=settings.accept,
        Body=question.body,
    )
    return str(answered["Body"].read().decode("utf-8", "replace"))


def _ask_through_s3(
    settings: InvokeSettings, question: Question, output: dict[str, str], account: Account
) -> str:
    """Upload the request, ask, and wait for the answer where SageMaker says that it will lie."""
    folder = Location.of(output["S3OutputPath"]).as_folder()
    parent = folder.key.removesuffix("output/")
    digest = hashlib.sha256(question.body).hexdigest()[:16]
    location = Location(folder.bucket, f"{parent}input/{digest}")
    key = output.get("KmsKeyId", "")
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    if not settings.dry_run:
        account.client("s3").put_object(Bucket=location.bucket, Key=location.key, Body=question.body, **extra)
    asked = account.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=settings.endpoint,
        ContentType=question.content_type,
        Accept=settings.accept,
        InputLocation=location.uri,
        InvocationTimeoutSeconds=settings.invocation_timeout,
    )
    if settings.dry_run:
        return ""
    say(f"the answer will lie at {asked['OutputLocation']}")
    return _wait_for(account, asked, settings)


def _wait_for(account: Account, asked: dict[str, Any], settings: InvokeSettings) -> str:
    deadline = time.monotonic() + settings.invocation_timeout
    while True:
        answer = _read(account, asked["OutputLocation"])
        if answer is not None:
            return answer
        failed = asked.get("FailureLocation")
        told = _read(account, failed) if failed else None
        if told is not None:
            raise PlatformError(
                f"The request failed: {' '.join(told.split())[:500]}.", f"All of it: {failed}."
            )
        if time.monotonic() > deadline:
            raise PlatformError(
                f"No answer came in {settings.invocation_timeout} s.",
                f"It may still come, at {asked['OutputLocation']}, if you may read there; or raise INVOCATION_TIMEOUT.",
            )
        time.sleep(_POLL_S)


def _read(account: Account, uri: str) -> str | None:
    location = Location.of(uri)
    try:
        found = account.client("s3").get_object(Bucket=location.bucket, Key=location.key)
    except ClientError as error:
        if code_of(error) in (
            "NoSuchKey",
            "404",
            "AccessDenied",
            "403",
        ):  # without s3:ListBucket a missing key is 403
            return None
        raise
    return str(found["Body"].read().decode("utf-8", "replace"))


def refusal_of(name: str, response: dict[str, Any]) -> UserError | PlatformError:
    """Return what the container's refusal means, in its own words.

    Args:
        response: of the ModelError.
    """
    status = int(response.get("OriginalStatusCode") or 500)
    told = str(response.get("OriginalMessage") or response.get("Error", {}).get("Message", "no reason given"))
    try:
        body = json.loads(told)
        told = f"{body['error']} ({body['code']})"
    except (ValueError, KeyError, TypeError):
        told = " ".join(told.split())[:300]
    cause = f"The endpoint {name} answered {status}: {told.rstrip('.')}."
    if 400 <= status < 500:
        return UserError(cause, "Correct the request; container/README.md has its forms, under Serving API.")
    return PlatformError(
        cause, f"Its log: {response.get('LogStreamArn') or f'/aws/sagemaker/Endpoints/{name}'}."
    )


def is_listed(answer: str) -> bool:
    """Whether an answer is a JSON list of objects or lists, a record each."""
    try:
        found = json.loads(answer)
    except ValueError:
        return False
    return (
        isinstance(found, list) and bool(found) and all(isinstance(record, dict | list) for record in found)
    )


def lines_of(records: list[Any]) -> list[str]:
    """Return a line for each record: score and class, the likeliest first; or why there is none."""
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


COMMANDS = (Command("invoke", "ask an endpoint: a text or a file", InvokeSettings, run, "text"),)
