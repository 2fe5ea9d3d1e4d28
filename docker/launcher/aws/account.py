"""The AWS account that a command uses: caller, region, clients, and whose buckets it may use."""

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import boto3
import botocore.config
import botocore.loaders
import botocore.session
from botocore import exceptions as aws

from bert_classifier.errors import UserError
from bert_classifier.job.settings import nearest
from launcher.settings.account import AccountSettings

# An endpoint may take 60 s to answer, and a shorter timeout would repeat the request.
_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=10, read_timeout=80
)
# The SDK's default bucket of an account; anybody can guess its name, and create it first.
_DEFAULT_BUCKET = re.compile(r"sagemaker-[a-z]+(?:-[a-z]+)+-\d+-(\d{12})")
ANYBODY = ""  # as ExpectedBucketOwner: for a request that asks who owns a bucket


class Account:
    """Clients of one account and region, created on first use.

    Args:
        environ: the process' environment, for the programs that a command starts.
    """

    def __init__(self, settings: AccountSettings, environ: Mapping[str, str] = MappingProxyType({})) -> None:
        self._settings = settings
        self.environ = environ

    @functools.cached_property
    def session(self) -> boto3.Session:
        """The session of all clients."""
        region, profile = self._settings.region or None, self._settings.profile or None
        try:
            session = boto3.Session(region_name=region, profile_name=profile)
            session.events.register("provide-client-params.s3", self._name_owner)
        except aws.ProfileNotFound as error:
            known = botocore.session.Session(profile="default").available_profiles
            raise UserError(
                f"Your AWS configuration has no profile {profile or self.environ.get('AWS_PROFILE', '')}.",
                f"It has: {', '.join(known) or 'none'}.",
            ) from error
        return session

    @property
    def is_dry_run(self) -> bool:
        """Whether requests are shown instead of sent."""
        return self._settings.dry_run

    def owner_of(self, bucket: str) -> str:
        """Return the account that must own a bucket; "" for any."""
        default = _DEFAULT_BUCKET.fullmatch(bucket)
        if default and (default[1] == self.number or not self._settings.bucket_owner):
            return default[1]
        return self._settings.bucket_owner

    def _name_owner(self, params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:
        """Make every S3 request, the SDK's as well, fail where somebody else owns the bucket."""
        if "ExpectedBucketOwner" not in model.input_shape.members:
            return None
        owner = params.get("ExpectedBucketOwner", self.owner_of(str(params.get("Bucket", ""))))
        return {
            **{name: value for name, value in params.items() if name != "ExpectedBucketOwner"},
            **({"ExpectedBucketOwner": owner} if owner != ANYBODY else {}),
        }

    @functools.cached_property
    def region(self) -> str:
        """The region.

        Raises:
            UserError: when none is configured, or botocore knows no partition that has it.
        """
        name = self.session.region_name
        if not name:
            raise UserError("No AWS region is set.", "Give REGION=eu-west-1, or run `aws configure`.")
        names = [region for partition in _partitions() for region in partition["regions"]]
        known = [region for region in names if region[-1].isdigit()]  # aws-global is none to run in
        if name not in known:
            close = nearest(name, known)
            raise UserError(
                f"AWS has no region {name}.",
                f"Did you mean {close}?" if close else "Correct REGION; a newer boto3 may know more regions.",
            )
        return str(name)

    @property
    def dns_suffix(self) -> str:
        """The domain of its region's hosts, such as amazonaws.com."""
        return next(
            str(one["outputs"]["dnsSuffix"]) for one in _partitions() if self.region in one["regions"]
        )

    @functools.cached_property
    def identity(self) -> dict[str, str]:
        """STS' description of the caller: Account, Arn, UserId."""
        return dict(self.client("sts").get_caller_identity())

    @property
    def number(self) -> str:
        """The account's 12 digits."""
        return self.identity["Account"]

    @functools.cache  # noqa: B019 - one account lives as long as the process
    def client(self, service: str, region: str = "") -> Any:
        """Return the client of a service, by default in the account's region."""
        return self.session.client(service, region_name=region or self.region, config=_CONFIG)


@functools.cache
def _partitions() -> list[dict[str, Any]]:
    """Return what botocore knows of AWS' partitions: regions and domains of each."""
    return list(botocore.loaders.create_loader().load_data("partitions")["partitions"])


def role_arn(role: str, account: Account) -> str:
    """Return the ARN of a role, given its ARN or name."""
    if role.startswith("arn:"):
        return role
    return str(account.client("iam").get_role(RoleName=role)["Role"]["Arn"])
