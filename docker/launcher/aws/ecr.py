"""Amazon ECR: the repository, a login to it, and what it knows of an image."""

import base64
import dataclasses
import re
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws.account import Account
from launcher.aws.registry import Registry

URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z0-9-]+(\.[a-z0-9-]+)+/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*)(:(?P<tag>[\w][\w.-]*)|@(?P<digest>sha256:[0-9a-f]{64}))"
)


@dataclasses.dataclass(frozen=True)
class ImageName:
    """An image's address in ECR, taken apart."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def of(cls, uri: str) -> "ImageName | None":
        """Take an address apart; None when it is none of ECR's, or has neither tag nor digest."""
        match = URI.fullmatch(uri)
        return cls(**{name: value or "" for name, value in match.groupdict().items()}) if match else None

    @property
    def image_id(self) -> dict[str, str]:
        """The image as ECR's own requests name it."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}


def find_repository(account: Account, name: str) -> dict[str, Any] | None:
    """Return ECR's description of a repository, or None when there is none."""
    try:
        found = account.client("ecr").describe_repositories(repositoryNames=[name])
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            return None
        raise
    repository: dict[str, Any] = found["repositories"][0]
    return repository


def create_repository(account: Account, name: str) -> dict[str, Any]:
    """Create a repository that scans what is pushed, and in which a tag never changes its image."""
    made = account.client("ecr").create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )
    repository: dict[str, Any] = made["repository"]
    return repository


def log_in(account: Account, host: str) -> Registry:
    """Return a registry of this account with a login that holds for some hours."""
    granted = account.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Registry(host, user, password)


def describe_image(account: Account, image: ImageName) -> dict[str, Any] | None:
    """Return ECR's description of an image, or None when the repository or the image is not there."""
    try:
        found = account.client("ecr").describe_images(
            registryId=image.account, repositoryName=image.repository, imageIds=[image.image_id]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in ("RepositoryNotFoundException", "ImageNotFoundException"):
            return None
        raise
    return next(iter(found["imageDetails"]), None)


def newest_tag(account: Account, repository: str, flavour: str) -> str:
    """Return the tag of a flavour that was pushed last; "" when there is none, or it may not be asked for."""
    try:
        pages = account.client("ecr").get_paginator("describe_images").paginate(repositoryName=repository)
        found = [image for page in pages for image in page["imageDetails"]]
    except ClientError:
        return ""
    tags = {tag: image["imagePushedAt"] for image in found for tag in image.get("imageTags", ())}
    own = [tag for tag in tags if tag.startswith(f"{flavour}-")]
    return max(own, key=tags.__getitem__, default="")
