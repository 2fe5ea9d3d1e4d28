"""What a registry holds, asked over its own HTTP API: the form in which SageMaker will be given an image."""

import base64
import dataclasses
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from bert_classifier.errors import PlatformError

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OTHER_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_TIMEOUT_S = 30


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A tag's manifest.

    Attributes:
        media_type: tells whether it is one image, and in whose form.
        digest: of the manifest, sha256:…
        body: its JSON.
    """

    media_type: str
    digest: str
    body: dict[str, Any]

    @property
    def config_digest(self) -> str:
        """Digest of the image's configuration, by which Docker knows an image; "" for an index."""
        return str(self.body.get("config", {}).get("digest", ""))


@dataclasses.dataclass(frozen=True)
class Registry:
    """A registry and a login to it.

    Args:
        host: such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com.
    """

    host: str
    user: str
    password: str = dataclasses.field(repr=False)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """Return the manifest of a tag or digest, or None when there is none."""
        accept = ", ".join((DOCKER_MANIFEST, *OTHER_MANIFESTS))
        try:
            headers, content = self._get(f"{repository}/manifests/{reference}", accept)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise self._refusal(error) from error
        return Manifest(headers["Content-Type"], headers["Docker-Content-Digest"], json.loads(content))

    def config(self, repository: str, manifest: Manifest) -> dict[str, Any]:
        """Return the configuration of an image: architecture, os, config.Labels."""
        try:
            _, content = self._get(f"{repository}/blobs/{manifest.config_digest}", "*/*")
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        config: dict[str, Any] = json.loads(content)
        return config

    def _get(self, path: str, accept: str) -> tuple[Any, bytes]:
        request = urllib.request.Request(f"https://{self.host}/v2/{path}", headers={"Accept": accept})
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        # Not sent on to where ECR redirects to: a signed address of S3 wants no second login.
        request.add_unredirected_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - https, as above
                return answer.headers, answer.read()
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise PlatformError(
                f"The registry {self.host} cannot be reached: {error}.", "Check network and proxy."
            ) from error

    def _refusal(self, error: urllib.error.HTTPError) -> PlatformError:
        return PlatformError(
            f"The registry {self.host} refuses {error.url}: {error.code} {error.reason}.",
            "Check the permissions ecr:BatchGetImage and ecr:GetDownloadUrlForLayer.",
        )
