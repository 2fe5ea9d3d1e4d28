"""What errors of AWS and its libraries mean: for each a cause, a remedy, and whose fault it is."""

from boto3.exceptions import Boto3Error
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from s3transfer import exceptions as transfer

from bert_classifier.errors import ContainerError, PlatformError, UserError

_TRANSFER_ERRORS = (
    transfer.RetriesExceededError,
    transfer.S3UploadFailedError,
    transfer.S3DownloadFailedError,
    transfer.S3CopyFailedError,
    transfer.S3ValidationError,
)
# What a call of AWS may raise; the library that uploads has its own errors.
AWS_ERRORS = (aws.ClientError, aws.BotoCoreError, Boto3Error, ResponseParserError, *_TRANSFER_ERRORS)
_LOG_IN = "Log in: `aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_LOG_IN_AGAIN = "Log in again, such as with `aws sso login`."
_ASK_FOR_POLICY = (
    "Ask for the policy docker/iam/developer.json (to approve or reject: approver.json), or use another profile:"
    " PROFILE=name."
)
_AGAIN = "Try again in a minute."
# Errors of the libraries: the first match counts.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[ContainerError], str, str], ...] = (
    ((aws.NoCredentialsError, aws.NoAuthTokenError), UserError, "There are no AWS credentials.", _LOG_IN),
    (
        (aws.PartialCredentialsError, aws.CredentialRetrievalError, aws.RefreshWithMFAUnsupportedError),
        UserError, "The AWS credentials cannot be used: {error}.", _LOG_IN,
    ),
    (
        (aws.TokenRetrievalError, aws.SSOError, aws.LoginError),
        UserError, "The login has expired ({error}).", _LOG_IN_AGAIN,
    ),
    (
        (aws.ParamValidationError,),
        UserError, "The request is invalid: {error}.", "Correct the setting that it names.",
    ),
    ((aws.WaiterError,), PlatformError, "Waiting failed: {error}.", _AGAIN),
    (
        (aws.SSLError,), PlatformError, "The TLS connection to AWS failed: {error}.",
        "Check the clock, and set AWS_CA_BUNDLE to your proxy's certificates.",
    ),
    (
        (aws.HTTPClientError, aws.ConnectionError, aws.MetadataRetrievalError, ResponseParserError),
        PlatformError, "AWS cannot be reached: {error}.", "Check network, proxy and REGION.",
    ),
    (
        (aws.ChecksumError, aws.FlexibleChecksumError, aws.IncompleteReadError, aws.UnseekableStreamError,
         aws.AwsChunkedWrapperError, Boto3Error, *_TRANSFER_ERRORS),
        PlatformError, "A transfer to or from AWS was incomplete: {error}.", _AGAIN,
    ),
    (
        (aws.BotoCoreError,), UserError, "The AWS configuration cannot be used: {error}.",
        "Correct it: ~/.aws/config, the variables AWS_…, or PROFILE and REGION.",
    ),
)  # fmt: skip
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"}
# Refusals by AWS' error codes.
_REFUSALS: tuple[tuple[set[str], type[ContainerError], str, str], ...] = (
    (
        {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"},
        UserError, "The AWS credentials have expired.", _LOG_IN_AGAIN,
    ),
    (
        {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId",
         "InvalidToken", "NotSignedUp"},
        UserError, "AWS does not know these credentials ({code}).", _LOG_IN,
    ),
    (
        {"RequestTimeTooSkewed", "InvalidSignatureException"},
        UserError, "This machine's clock is wrong: {message}.", "Set the clock.",
    ),
    (_DENIED, UserError, "You may not call {operation}: {message}.", _ASK_FOR_POLICY),
    (
        {"NoSuchBucket", "InvalidBucketName"}, UserError, "There is no such bucket ({bucket}).",
        "Correct the s3:// address, or create the bucket: aws s3 mb s3://….",
    ),
    (
        {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "301",
         "IllegalLocationConstraintException"},
        UserError, "The bucket is in another region: {message}.", "Use one in the job's region, or set REGION.",
    ),
    (
        {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
         "RequestThrottled", "RequestThrottledException", "SlowDown", "ServiceUnavailable", "InternalFailure",
         "InternalError", "RequestTimeout", "RequestTimeoutException", "OperationAborted", "BadDigest",
         "XAmzContentSHA256Mismatch", "IncompleteBody", "NoSuchUpload"},
        PlatformError, "AWS did not answer {operation}: {message}.", _AGAIN,
    ),
)  # fmt: skip
_LONGEST_MESSAGE = 300  # a proxy may answer with a whole page


def code_of(error: aws.ClientError) -> str:
    """Return the code of a refusal, such as ValidationException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: aws.ClientError) -> bool:
    """Return whether a permission is missing."""
    return code_of(error) in _DENIED


def may_be_accepted(error: BaseException) -> bool:
    """Return whether AWS may have carried out a request in spite of this error.

    The library repeats a request whose answer was lost; AWS then refuses the second because of the first.
    """
    if not isinstance(error, aws.ClientError):
        return not isinstance(error, aws.ParamValidationError)
    was_repeated = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
    return was_repeated and code_of(error) in ("ResourceInUse", "ValidationException")


def explain(error: Exception) -> ContainerError | None:
    """Return cause and remedy of an error of AWS or its libraries; None for any other error."""
    error = _root_of(error)
    if isinstance(error, aws.ClientError):
        return _explain_refusal(error)
    message = " ".join(str(error).split())[:_LONGEST_MESSAGE].rstrip(".")
    for kinds, family, cause, remedy in _MEANINGS:
        if isinstance(error, kinds):
            return family(cause.format(error=message or type(error).__name__), remedy)
    return None


def _root_of(error: Exception) -> Exception:
    """Return the error behind the transfer library's own, mostly a refusal of AWS."""
    while isinstance(error, (Boto3Error, *_TRANSFER_ERRORS)):
        inner = getattr(error, "last_exception", None) or error.__cause__ or error.__context__
        if not isinstance(inner, AWS_ERRORS):
            break
        error = inner
    return error


def _explain_refusal(error: aws.ClientError) -> ContainerError:
    code, details = code_of(error), error.response.get("Error", {})
    words = {
        "code": code,
        "operation": error.operation_name,
        "message": " ".join(str(details.get("Message", "") or code).split())[:_LONGEST_MESSAGE].rstrip("."),
        "bucket": details.get("BucketName", code),
    }
    for codes, family, cause, remedy in _REFUSALS:
        if code in codes:
            return family(cause.format(**words), remedy)
    if code.startswith("KMS."):
        return UserError(
            "The KMS key cannot be used: {message}.".format(**words),
            "Correct OUTPUT_KMS_KEY, or ask for docker/iam/kms.json.",
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or status == 429:
        return PlatformError("AWS did not answer {operation}: {message}.".format(**words), _AGAIN)
    return UserError(
        "AWS refused {operation} ({code}): {message}.".format(**words),
        "Correct what it names, and try again.",
    )
