"""What only AWS can tell about a job: credentials, image, role, buckets."""

import dataclasses
import http.client
import json
import urllib.request
from collections.abc import Generator, Iterator
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws import ecr
from launcher.aws.account import ANYBODY, Account
from launcher.aws.refusals import AWS_ERRORS, code_of, is_denied
from launcher.aws.registry import DOCKER_MANIFEST
from launcher.aws.s3 import Location
from launcher.checks.image_fit import Driver, ImageFacts, check_fit
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.work import WorkSettings

_SERVICE = "sagemaker.amazonaws.com"
_TIMEOUT_S = 30
POLICIES = "docker/iam"


def check_identity(account: Account) -> Iterator[Finding]:
    """Yield who is asking, and in which region."""
    yield ok("credentials", account.identity["Arn"])
    yield ok("region", account.region)


def check_image(
    account: Account, uri: str, settings: WorkSettings, driver: Driver | None = None
) -> Iterator[Finding]:
    """Yield whether the image is there, in this region, of a kind that SageMaker starts, and fits the instances.

    Args:
        driver: what is known of the instances' NVIDIA driver.
    """
    facts = yield from _look_at(account, uri)
    yield from check_fit(facts, settings, driver)


def _look_at(account: Account, uri: str) -> Generator[Finding, None, ImageFacts]:
    """Yield what ECR says about an image; return what the image says about itself."""
    image = ecr.ImageName.of(uri)
    if image is None:
        yield fail(
            "image", f"{uri} is no address in ECR with a tag or digest",
            "Write ACCOUNT.dkr.ecr.REGION.amazonaws.com/repository:tag.",
        )  # fmt: skip
        return ImageFacts()
    if image.region != account.region:
        yield fail(
            "image", f"it is in {image.region}, the job would run in {account.region}",
            f"Push it there: make push REGION={account.region}.",
        )  # fmt: skip
        return ImageFacts()
    found = ecr.describe_image(account, image)
    if found is None:
        yield fail("image", f"{uri} is not there", _what_is_there(account, image))
        return ImageFacts()
    media_type = found.get("imageManifestMediaType", "")
    if media_type and media_type != DOCKER_MANIFEST:
        yield fail(
            "image", f"{uri} is stored as {media_type}, not {DOCKER_MANIFEST}", "Build and push it again."
        )
        return ImageFacts()
    try:
        facts = ImageFacts.of(_config_of(account, image))
    except (*AWS_ERRORS, OSError, http.client.HTTPException, ValueError):
        facts = ImageFacts()
    megabytes = found.get("imageSizeInBytes", 0) / 1e6
    yield ok("image", f"{uri} ({megabytes:.0f} MB packed, {facts.platform or 'architecture not looked at'})")
    return facts


def _config_of(account: Account, image: ecr.ImageName) -> dict[str, Any]:
    """Return the image's configuration, by its manifest and the address that ECR hands out for a layer."""
    client, where = account.client("ecr"), {"registryId": image.account, "repositoryName": image.repository}
    answer = client.batch_get_image(**where, imageIds=[image.image_id], acceptedMediaTypes=[DOCKER_MANIFEST])
    digest = json.loads(answer["images"][0]["imageManifest"])["config"]["digest"]
    url = client.get_download_url_for_layer(**where, layerDigest=digest)["downloadUrl"]
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as content:  # noqa: S310 - ECR's own address
        config: dict[str, Any] = json.load(content)
    return config


def _what_is_there(account: Account, image: ecr.ImageName) -> str:
    """Return what to do about an image that is not there."""
    flavour = image.tag.partition("-")[0]
    hint = f"Push it: make push TAG={flavour}." if flavour in ("cpu", "gpu") else "Push it: make push."
    newest = ecr.newest_tag(account, image.repository, flavour)
    return f"{hint} The newest one there: IMAGE_TAG={newest}." if newest else hint


@dataclasses.dataclass(frozen=True)
class Needs:
    """What a role is for.

    Attributes:
        policy: name of the file in docker/iam that grants it.
        reads: where objects are read.
        writes: where they are written.
    """

    policy: str
    reads: list[Location]
    writes: list[Location]


def check_role(account: Account, role: str, needs: Needs) -> Iterator[Finding]:
    """Yield whether the role exists, SageMaker may take it on, and it may use the buckets.

    Args:
        role: its ARN or name; "" when none is given.
    """
    if not role:
        remedy = f"Give one: ROLE=name, with the policy {POLICIES}/{needs.policy}; make policies tells how."
        yield fail("role", "none is given", remedy)
        return
    name = role.rpartition("/")[2]
    try:
        found = account.client("iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            yield fail(
                "role", f"there is no role {name} in account {account.number}", "Correct ROLE, or make it."
            )
            return
        if is_denied(error) and not role.startswith("arn:"):
            arn = f"arn:{account.identity['Arn'].split(':')[1]}:iam::{account.number}:role/{name}"
            yield fail("role", f"the ARN of {name} could not be asked for: you may not call GetRole",
                       f"Give it by its ARN, such as ROLE={arn}.")  # fmt: skip
            return
        raise
    if role.startswith("arn:") and found["Arn"] != role:
        yield fail("role", f"{name} is {found['Arn']}, not {role}", "Correct ROLE.")
        return
    if not _trusts_sagemaker(found["AssumeRolePolicyDocument"]):
        yield fail(
            "role", f"{name} does not trust {_SERVICE}", f"Give it {POLICIES}/trust.json as trust policy."
        )
        return
    yield ok("role", found["Arn"])
    yield from _simulate(account, found["Arn"], needs)


def _trusts_sagemaker(policy: dict[str, Any]) -> bool:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else [_SERVICE]
        if statement.get("Effect") == "Allow" and _SERVICE in (
            [services] if isinstance(services, str) else services
        ):
            return True
    return False


def _simulate(account: Account, arn: str, needs: Needs) -> Iterator[Finding]:
    """Yield what the role may not do, as IAM works it out; only its own policies count there, not the bucket's."""
    refused: list[dict[str, Any]] = []
    try:
        for action, locations in (("s3:GetObject", needs.reads), ("s3:PutObject", needs.writes)):
            for owner in dict.fromkeys(_owner(account, location) for location in locations):
                own = [location for location in locations if _owner(account, location) == owner]
                refused += _refused(account, arn, action, own, owner)
    except AWS_ERRORS as error:
        denied = isinstance(error, ClientError) and is_denied(error)
        reason = "you may not call SimulatePrincipalPolicy" if denied else "IAM does not say"
        yield warn("role", f"whether it may use the buckets could not be checked: {reason}")
        return
    for result in refused:
        yield warn(
            "role", f"it may not {result['EvalActionName']} {result.get('EvalResourceName', '')}",
            f"Give it the policy {POLICIES}/{needs.policy}, unless the bucket's own policy lets it in.",
        )  # fmt: skip
    if not refused:
        buckets = {location.bucket for location in (*needs.reads, *needs.writes)}
        yield ok("role", f"may read and write {', '.join(sorted(buckets))}")


def _owner(account: Account, location: Location) -> str:
    return account.owner_of(location.bucket) or account.number


def _refused(
    account: Account, arn: str, action: str, locations: list[Location], owner: str
) -> list[dict[str, Any]]:
    """Return what IAM says of a role at places of one owner, whose number the policies of docker/iam ask for."""
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
    """Yield whether a bucket is there, whose it is, whether it is open to you, and in the job's region."""
    try:
        headers = _head(account, name, account.owner_of(name) or account.number)
    except ClientError as error:
        if not is_denied(error):
            yield from _explain_absence(account, name, error)
            return
        try:
            headers = _head(account, name, ANYBODY)
        except ClientError:
            yield fail(
                "bucket",
                f"you may not look into {name}",
                "Correct S3_PREFIX, or ask its owner for s3:ListBucket.",
            )
            return
        yield _foreign(account, name)
    yield _check_region(account, name, headers.get("x-amz-bucket-region", account.region))


def _head(account: Account, name: str, owner: str) -> dict[str, str]:
    answer = account.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=owner)
    headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers


def _explain_absence(account: Account, name: str, error: ClientError) -> Iterator[Finding]:
    if code_of(error) in ("404", "NoSuchBucket"):
        yield fail(
            "bucket", f"there is no {name}", f"Make it: aws s3 mb s3://{name} --region {account.region}."
        )
        return
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code_of(error) not in ("301", "400", "PermanentRedirect") or "x-amz-bucket-region" not in headers:
        raise error
    yield _check_region(account, name, headers["x-amz-bucket-region"])


def _foreign(account: Account, name: str) -> Finding:
    """Return what it means that a bucket belongs to another account than the expected one."""
    owner = account.owner_of(name)
    if not owner:
        told = f"{name} belongs to another account than yours, {account.number}"
        return warn("bucket", told, "If that is as it should be, name the account: BUCKET_OWNER=number.")
    told = f"{name} does not belong to account {owner}: whoever owns it would get your data"
    own = owner == account.number
    return fail(
        "bucket", told, f"{'Use a bucket of your own: S3_PREFIX' if own else 'Correct it, or BUCKET_OWNER'}."
    )


def _check_region(account: Account, name: str, region: str) -> Finding:
    if region == account.region:
        return ok("bucket", f"{name}, open to you, in {region}")
    told = f"{name} is in {region}, the job would run in {account.region}"
    return fail("bucket", told, "Use one of that region.")
