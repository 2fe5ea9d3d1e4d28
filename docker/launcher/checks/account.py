"""What AWS says about credentials, image, role and buckets."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws.account import ANYBODY, Account
from launcher.aws.errors import AWS_ERRORS, code_of, is_denied
from launcher.aws.s3 import Location
from launcher.checks.image import Driver, check_image
from launcher.findings import Finding, examine, fail, ok, warn
from launcher.settings.workload import WorkloadSettings

_SERVICE = "sagemaker.amazonaws.com"
POLICIES = "docker/iam"


@dataclasses.dataclass(frozen=True)
class Needs:
    """IAM permissions that a job or endpoint needs in S3.

    Attributes:
        policy: name of the file in docker/iam that grants them.
        reads: locations that it reads.
        writes: locations that it writes.
    """

    policy: str
    reads: list[Location]
    writes: list[Location]


def check_access(
    account: Account,
    uri: str,
    settings: WorkloadSettings,
    needs: Needs,
    driver: Driver | None = None,
    others: Sequence[str] = (),
) -> list[Finding]:
    """Check image, role and buckets of a job or endpoint.

    Args:
        uri: of the image.
        others: further instance types that it may run on.
    """
    findings = [
        *examine("image", partial(check_image, account, uri, settings, driver, others)),
        *examine("role", partial(check_role, account, settings.role, needs)),
    ]
    for bucket in dict.fromkeys(location.bucket for location in (*needs.reads, *needs.writes)):
        findings += examine("bucket", partial(check_bucket, account, bucket))
    return findings


def check_identity(account: Account) -> Iterator[Finding]:
    """Report the caller and the region."""
    yield ok("credentials", account.identity["Arn"])
    yield ok("region", account.region)


def check_role(account: Account, role: str, needs: Needs) -> Iterator[Finding]:
    """Check that the role exists, that SageMaker may assume it, and that it may use the buckets.

    Args:
        role: its ARN or name; "" when none is given.
    """
    if not role:
        remedy = f"Give ROLE=name, with the policy {POLICIES}/{needs.policy}; make policies shows how."
        yield fail("role", "none is given", remedy)
        return
    name = role.rpartition("/")[2]
    try:
        found = account.client("iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            yield fail(
                "role", f"there is no role {name} in account {account.number}", "Correct ROLE, or create it."
            )
            return
        if is_denied(error) and not role.startswith("arn:"):
            arn = f"arn:{account.identity['Arn'].split(':')[1]}:iam::{account.number}:role/{name}"
            yield fail("role", f"the ARN of {name} could not be looked up: you may not call GetRole",
                       f"Give the ARN, such as ROLE={arn}.")  # fmt: skip
            return
        raise
    if role.startswith("arn:") and found["Arn"] != role:
        yield fail("role", f"{name} is {found['Arn']}, not {role}", "Correct ROLE.")
    elif not _trusts_sagemaker(found["AssumeRolePolicyDocument"]):
        yield fail(
            "role", f"{name} does not trust {_SERVICE}", f"Give it {POLICIES}/trust.json as trust policy."
        )
    else:
        yield ok("role", found["Arn"])
        yield from _simulate(account, found["Arn"], needs)


def _trusts_sagemaker(policy: dict[str, Any]) -> bool:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else [_SERVICE]
        services = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and _SERVICE in services:
            return True
    return False


def _simulate(account: Account, arn: str, needs: Needs) -> Iterator[Finding]:
    """Report what IAM's simulation denies the role; it knows the role's own policies, not the bucket's."""
    denied: list[dict[str, Any]] = []
    try:
        for action, locations in (("s3:GetObject", needs.reads), ("s3:PutObject", needs.writes)):
            for owner in dict.fromkeys(_owner(account, location) for location in locations):
                own = [location for location in locations if _owner(account, location) == owner]
                denied += _denied(account, arn, action, own, owner)
    except AWS_ERRORS as error:
        may_not = isinstance(error, ClientError) and is_denied(error)
        reason = "you may not call SimulatePrincipalPolicy" if may_not else "IAM did not answer"
        yield warn("role", f"whether it may use the buckets could not be checked: {reason}")
        return
    for result in denied:
        yield warn(
            "role", f"it may not {result['EvalActionName']} {result.get('EvalResourceName', '')}",
            f"Give it the policy {POLICIES}/{needs.policy}, unless the bucket's own policy allows it.",
        )  # fmt: skip
    if not denied:
        buckets = {location.bucket for location in (*needs.reads, *needs.writes)}
        yield ok("role", f"may read and write {', '.join(sorted(buckets))}")


def _owner(account: Account, location: Location) -> str:
    return account.owner_of(location.bucket) or account.number


def _denied(
    account: Account, arn: str, action: str, locations: list[Location], owner: str
) -> list[dict[str, Any]]:
    """Return IAM's denials for locations of one owner, whose account the policies of docker/iam demand."""
    resources = sorted(
        {f"arn:{arn.split(':')[1]}:s3:::{location.bucket}/{location.key}*" for location in locations}
    )
    context = {
        "ContextKeyName": "s3:ResourceAccount", "ContextKeyValues": [owner], "ContextKeyType": "string",
    }  # fmt: skip
    answer = account.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=[action], ResourceArns=resources, ContextEntries=[context]
    )
    return [result for result in answer["EvaluationResults"] if result["EvalDecision"] != "allowed"]


def check_bucket(account: Account, name: str) -> Iterator[Finding]:
    """Check that a bucket exists, who owns it, that you may use it, and that it is in the job's region."""
    try:
        headers = _head(account, name, account.owner_of(name) or account.number)
    except ClientError as error:
        if not is_denied(error):
            yield _absent(account, name, error)
            return
        try:
            headers = _head(account, name, ANYBODY)
        except ClientError:
            remedy = "Correct S3_PREFIX, or ask its owner for s3:ListBucket."
            yield fail("bucket", f"you may not list {name}", remedy)
            return
        yield _foreign(account, name)
    yield _check_region(account, name, headers.get("x-amz-bucket-region", account.region))


def _head(account: Account, name: str, owner: str) -> dict[str, str]:
    answer = account.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=owner)
    return dict(answer["ResponseMetadata"]["HTTPHeaders"])


def _absent(account: Account, name: str, error: ClientError) -> Finding:
    """Return the finding for a bucket that is missing or in another region."""
    if code_of(error) in ("404", "NoSuchBucket"):
        remedy = f"Create it: aws s3 mb s3://{name} --region {account.region}."
        return fail("bucket", f"there is no {name}", remedy)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code_of(error) not in ("301", "400", "PermanentRedirect") or "x-amz-bucket-region" not in headers:
        raise error
    return _check_region(account, name, headers["x-amz-bucket-region"])


def _foreign(account: Account, name: str) -> Finding:
    """Return the finding for a bucket of another account than the expected one."""
    owner = account.owner_of(name)
    if not owner:
        message = f"{name} belongs to another account than yours, {account.number}"
        return warn("bucket", message, "If that is intended, name the account: BUCKET_OWNER=number.")
    message = f"{name} does not belong to account {owner}: its owner would get your data"
    own = owner == account.number
    remedy = "Use your own bucket: S3_PREFIX." if own else "Correct it, or BUCKET_OWNER."
    return fail("bucket", message, remedy)


def _check_region(account: Account, name: str, region: str) -> Finding:
    if region == account.region:
        return ok("bucket", f"{name}, accessible, in {region}")
    message = f"{name} is in {region}, but the job would run in {account.region}"
    return fail("bucket", message, "Use a bucket in that region.")
