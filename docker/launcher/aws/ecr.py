"""Amazon ECR: repositories, logins, and the manifests and configurations of images."""

import base64
import dataclasses
import http.client
import json
import re
import urllib.request
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import PlatformError
from launcher import revision
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.settings.workload import WorkloadSettings

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_MANIFESTS = (
    DOCKER_MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_TIMEOUT_S = 30
_URI = re.compile(
    # Also FIPS and dual-stack hosts: ….dkr.ecr-fips.REGION.amazonaws.com, ….dkr-ecr.REGION.on.aws.
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9-]+(\.[a-z0-9-]+)+/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*)(:(?P<tag>[\w][\w.-]*)|@(?P<digest>sha256:[0-9a-f]{64}))"
)


@dataclasses.dataclass(frozen=True)
class ImageName:
    """The parts of an image's address in ECR."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def of(cls, uri: str) -> "ImageName | None":
        """Parse an address; None when it is not in ECR, or has neither tag nor digest."""
        match = _URI.fullmatch(uri)
        return cls(**{name: value or "" for name, value in match.groupdict().items()}) if match else None

    @property
    def in_repository(self) -> dict[str, str]:
        """Arguments of ECR's requests that name the repository."""
        return {"registryId": self.account, "repositoryName": self.repository}

    @property
    def image_id(self) -> dict[str, str]:
        """The image as ECR's requests name it."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}


@dataclasses.dataclass(frozen=True)
class Manifest:
    """An image's manifest.

    Attributes:
        media_type: tells whether it is a single image, and in which format.
        digest: of the manifest, sha256:…
        config_digest: of the image's configuration, by which Docker knows an image; "" for an index.
    """

    media_type: str
    digest: str
    config_digest: str


def registry_host(account: Account) -> str:
    """Return the host name of the account's registry."""
    return f"{account.number}.dkr.ecr.{account.region}.{account.dns_suffix}"


def image_uri(settings: WorkloadSettings, account: Account) -> str:
    """Return the image's address: the one given, or the one under which `push` stores an image of the files here."""
    if settings.image_uri:
        return settings.image_uri
    tag = settings.image_tag or revision.tree_tag(settings.image_flavour)
    return f"{registry_host(account)}/{settings.repository}:{tag}"


def credentials(account: Account) -> tuple[str, str]:
    """Return user and password of the account's registry; they hold for some hours."""
    granted = account.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return user, password


def find_repository(account: Account, name: str) -> dict[str, Any] | None:
    """Return ECR's description of a repository, or None when there is none."""
    try:
        found = account.client("ecr").describe_repositories(repositoryNames=[name])
    except ClientError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return None
        raise
    return dict(found["repositories"][0])


def create_repository(account: Account, name: str) -> dict[str, Any]:
    """Create a repository with scan on push and immutable tags."""
    created = account.client("ecr").create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )
    return dict(created["repository"])


def describe_image(account: Account, image: ImageName) -> dict[str, Any] | None:
    """Return ECR's description of an image, or None when the repository or the image does not exist."""
    try:
        found = account.client("ecr").describe_images(**image.in_repository, imageIds=[image.image_id])
    except ClientError as error:
        if code_of(error) in ("RepositoryNotFoundException", "ImageNotFoundException"):
            return None
        raise
    return next(iter(found["imageDetails"]), None)


def find_manifest(account: Account, image: ImageName) -> Manifest | None:
    """Return an image's manifest as it is stored, or None when there is none."""
    answer = account.client("ecr").batch_get_image(
        **image.in_repository, imageIds=[image.image_id], acceptedMediaTypes=list(_MANIFESTS)
    )
    for found in answer["images"]:
        body = json.loads(found["imageManifest"])
        media_type = found.get("imageManifestMediaType") or body.get("mediaType", "")
        digest = found["imageId"].get("imageDigest", "")
        return Manifest(media_type, digest, str(body.get("config", {}).get("digest", "")))
    return None


def read_config(account: Account, image: ImageName, manifest: Manifest) -> dict[str, Any]:
    """Return an image's configuration: architecture, os, config.Labels.

    Raises:
        PlatformError: when it cannot be downloaded.
    """
    url = account.client("ecr").get_download_url_for_layer(
        **image.in_repository, layerDigest=manifest.config_digest
    )["downloadUrl"]
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as content:  # noqa: S310 - ECR's own address
            return dict(json.load(content))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PlatformError(
            f"The configuration of {image.repository} cannot be downloaded: {error}.",
            "Check network and proxy.",
        ) from error


def newest_tag(account: Account, repository: str, flavour: str) -> str:
    """Return the flavour's tag that was pushed last; "" when there is none or ECR does not say."""
    try:
        pages = account.client("ecr").get_paginator("describe_images").paginate(repositoryName=repository)
        found = [image for page in pages for image in page["imageDetails"]]
    except ClientError:
        return ""
    tags = {tag: image["imagePushedAt"] for image in found for tag in image.get("imageTags", ())}
    own = [tag for tag in tags if tag.startswith(f"{flavour}-")]
    return max(own, key=tags.__getitem__, default="")
