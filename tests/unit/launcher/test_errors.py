"""What AWS' refusals and its libraries' errors mean: every one gets a message, none is called a bug."""

import string

import boto3.exceptions
import botocore.exceptions
import pytest
import s3transfer.exceptions

from bert_classifier.errors import PlatformError, UserError
from launcher.aws.errors import AWS_ERRORS, explain

# Programming mistakes of whoever uses the library, which the launcher's own tests would meet.
MISUSE = {
    "DynamoDBNeedsConditionError", "DynamoDBNeedsKeyConditionError", "DynamoDBOperationNotSupportedError",
    "InvalidSubscriberMethodError", "TransferNotDoneError", "CancelledError", "FatalError",
    "UndefinedModelAttributeError",
    "MissingServiceIdError", "UnsupportedTLSVersionWarning", "ImminentRemovalWarning", "PythonDeprecationWarning",
}  # fmt: skip
PLATFORM = {
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyConnectionError", "SSLError",
    "ConnectionClosedError", "ResponseStreamingError", "HTTPClientError", "IncompleteReadError", "RetriesExceededError",
}  # fmt: skip


def made(kind: type[Exception]) -> Exception:
    """Return an error as its library makes it."""
    if issubclass(kind, botocore.exceptions.ClientError):
        return kind({"Error": {"Code": "Any", "Message": "no"}}, "PutObject")
    if kind.__name__ == "RetriesExceededError":
        return kind(OSError("x"))
    if kind.__module__ != "botocore.exceptions":
        return kind(*["x"] * (kind.__init__.__code__.co_argcount - 1 if "__init__" in vars(kind) else 1))
    form: str = getattr(kind, "fmt", "")
    named: dict[str, object] = {name: "x" for _, name, *_ in string.Formatter().parse(form) if name}
    if kind.__name__ == "WaiterError":
        named["last_response"] = {}
    return kind(**named)


def kinds() -> list[type[Exception]]:
    """Return every error of the three libraries."""
    found = [
        kind
        for module in (boto3.exceptions, botocore.exceptions, s3transfer.exceptions)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.__name__
    ]
    return [kind for kind in dict.fromkeys(found) if kind.__name__ not in MISUSE]


@pytest.mark.parametrize(
    "kind", kinds(), ids=lambda kind: f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
)
def test_every_error_of_the_libraries_is_explained(kind):
    """With a cause and a remedy; the network's are the platform's, and each is caught where AWS is called."""
    error = made(kind)
    expected = explain(error)
    assert isinstance(expected, UserError | PlatformError), kind
    assert expected.cause
    assert expected.remedy
    assert isinstance(error, AWS_ERRORS)
    if kind.__name__ in PLATFORM:
        assert isinstance(expected, PlatformError)


def refused(code: str, status: int = 400, **more: str) -> botocore.exceptions.ClientError:
    """Return a refusal."""
    expected = {
        "Error": {"Code": code, "Message": "why.", **more},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return botocore.exceptions.ClientError(expected, "PutObject")


@pytest.mark.parametrize(
    ("code", "status", "family", "expected"),
    [
        ("AccessDenied", 403, UserError, "You may not call PutObject: why. Ask for the policy"),
        ("ExpiredToken", 400, UserError, "The AWS credentials have expired. Log in again"),
        ("InvalidAccessKeyId", 403, UserError, "AWS does not know these credentials"),
        ("RequestTimeTooSkewed", 403, UserError, "machine's clock is wrong"),
        ("NoSuchBucket", 404, UserError, "There is no such bucket"),
        ("InvalidBucketName", 400, UserError, "There is no such bucket"),
        ("PermanentRedirect", 301, UserError, "The bucket is in another region: why. Use one"),
        ("KMS.DisabledException", 400, UserError, "The KMS key cannot be used: why. Correct OUTPUT_KMS_KEY"),
        ("SlowDown", 503, PlatformError, "AWS did not answer PutObject: why. Try again"),
        ("RequestTimeout", 400, PlatformError, "AWS did not answer PutObject"),
        ("Any", 502, PlatformError, "AWS did not answer PutObject"),
        ("TooMany", 429, PlatformError, "AWS did not answer PutObject"),
        ("EntityTooLarge", 400, UserError, "AWS refused PutObject (EntityTooLarge): why. Correct"),
    ],
)
def test_a_refusal_is_reported_with_its_remedy(code, status, family, expected):
    """By AWS' own code, and also where the transfer library wraps it."""
    error = refused(code, status)
    wrapped = boto3.exceptions.S3UploadFailedError("Failed to upload")
    wrapped.__context__ = error
    for one in (error, wrapped):
        assert type(explain(one)) is family
        assert expected in str(explain(one))


def test_what_is_no_error_of_aws_is_not_explained():
    """A bug stays one."""
    assert explain(ValueError("x")) is None
