"""The AWS account that a command speaks to, and what its refusals mean in plain words."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import boto3
import botocore.config
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from bert_classifier.fields import nearest
from launcher.settings import AccountSettings

# A laptop's connection is worth a few tries, a person's patience not more. An endpoint may take 60 s for an answer:
# to give up just then would ask it all over again.
_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=10, read_timeout=80
)
_NO_CREDENTIALS = (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_WRONG_KEYS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"}
AWS_ERRORS = (aws.ClientError, aws.BotoCoreError, ResponseParserError)  # what a call of AWS may raise
_LONGEST_MESSAGE = 300  # a proxy may answer with a page
_LOG_IN = "Log in: `aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."


class Account:
    """Clients of one account and region, made when first used.

    Args:
        environ: the process' environment, for the programs that a command starts.
    """

    def __init__(self, settings: AccountSettings, environ: Mapping[str, str] = MappingProxyType({})) -> None:
        self._settings = settings
        self.environ = environ

    @functools.cached_property
    def session(self) -> boto3.Session:
        """The session that all clients belong to."""
        try:
            return boto3.Session(
                region_name=self._settings.region or None, profile_name=self._settings.profile or None
            )
        except aws.ProfileNotFound as error:
            known = boto3.Session().available_profiles
            raise UserError(
                f"Your AWS configuration has no profile {self._settings.profile}.",
                f"It has: {', '.join(known) or 'none'}.",
            ) from error

    @functools.cached_property
    def region(self) -> str:
        """The region.

        Raises:
            UserError: when none is configured, or SageMaker has none of that name.
        """
        name = self.session.region_name
        if not name:
            raise UserError("No AWS region is set.", "Give one: REGION=eu-west-1, or `aws configure`.")
        known = [
            region
            for partition in self.session.get_available_partitions()
            for region in self.session.get_available_regions("sagemaker", partition)
        ]
        if name not in known:
            close = nearest(name, known)
            raise UserError(
                f"SageMaker has no region {name}.", f"Did you mean {close}?" if close else "Correct REGION."
            )
        return str(name)

    @functools.cached_property
    def identity(self) -> dict[str, str]:
        """The caller as STS names it: Account, Arn, UserId."""
        return dict(self.client("sts").get_caller_identity())

    @property
    def number(self) -> str:
        """The account's 12 digits."""
        return self.identity["Account"]

    @functools.cache  # noqa: B019 - one account lives as long as the process
    def client(self, service: str, region: str = "") -> Any:
        """Return the client of a service, in the account's region unless told otherwise."""
        return self.session.client(service, region_name=region or self.region, config=_CONFIG)


def role_arn(role: str, account: Account) -> str:
    """Return the ARN of a role that is given by ARN or name."""
    if role.startswith("arn:"):
        return role
    return str(account.client("iam").get_role(RoleName=role)["Role"]["Arn"])


def code_of(error: aws.ClientError) -> str:
    """Return the code of a refusal, such as ValidationException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: aws.ClientError) -> bool:
    """Say whether a refusal is for want of a permission."""
    return code_of(error) in _DENIED


def explain(error: Exception) -> ContainerError | None:
    """Return what an error of AWS' libraries means, as cause and remedy; None for an error of another kind."""
    if isinstance(error, aws.ClientError):
        return _explain_refusal(error)
    if isinstance(error, _NO_CREDENTIALS):
        return UserError("There are no AWS credentials.", _LOG_IN)
    if isinstance(error, aws.TokenRetrievalError | aws.SSOTokenLoadError | aws.UnauthorizedSSOTokenError):
        return UserError(f"The login has ended: {error}.", "Log in again: `aws sso login`.")
    if isinstance(error, aws.ParamValidationError):
        return UserError(f"AWS takes no such request: {error}.", "Correct the setting that it names.")
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | ResponseParserError):
        return PlatformError(f"AWS cannot be reached: {error}.", "Check network, proxy and REGION.")
    return UserError(f"{error}.", _LOG_IN) if isinstance(error, aws.BotoCoreError) else None


def _explain_refusal(error: aws.ClientError) -> ContainerError:
    code, operation = code_of(error), error.operation_name
    told = str(error.response.get("Error", {}).get("Message", "") or code)
    message = " ".join(told.split())[:_LONGEST_MESSAGE].rstrip(".")
    if code in _EXPIRED:
        return UserError("The AWS credentials have expired.", "Log in again, such as with `aws sso login`.")
    if code in _WRONG_KEYS:
        return UserError(f"AWS does not know these credentials ({code}).", _LOG_IN)
    if code in _DENIED:
        return UserError(
            f"You may not call {operation}: {message}.",
            "Ask for the policy docker/iam/developer.json, or use another profile: PROFILE=name.",
        )
    if code in _BUSY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return PlatformError(f"AWS did not answer {operation}: {message}.", "Try again in a minute.")
    return UserError(f"AWS refused {operation} ({code}): {message}.", "Correct what it names, and try again.")
