"""`push` to a real registry under ECR's name: what is there afterwards, and what is refused."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.aws.ecr import DOCKER_MANIFEST
from launcher.revision import head_of
from support.aws import Aws, Ended
from support.containers import docker
from support.ecr_registry import HOST, EcrRegistry

_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Local:
    """A small image of this test's own, labelled as `make build` labels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.repository = f"push-{uuid.uuid4().hex[:12]}"

    def build(self, revision: str, *, platform: str = "linux/amd64", content: str = "") -> None:
        """Build it; `revision` becomes its label."""
        (self._folder / "content").write_text(content, encoding="utf-8")
        labels = f"org.opencontainers.image.version=cpu org.opencontainers.image.revision={revision}"
        (self._folder / "Dockerfile").write_text(f"FROM scratch\nLABEL {labels}\nCOPY content /\n")
        docker("build", f"--platform={platform}", f"--tag={self.repository}:cpu", str(self._folder))


@pytest.fixture
def local(ecr_registry: EcrRegistry, tmp_path: Path) -> Iterator[Local]:
    """Return an image to push, and remove it in the end."""
    folder = tmp_path / "image"
    folder.mkdir()
    image = Local(folder)
    yield image
    docker("rmi", "--force", f"{image.repository}:cpu", check=False)


@pytest.fixture
def push(aws: Aws, ecr_registry: EcrRegistry, local: Local) -> Iterator[Callable[..., Ended]]:
    """Return a function that runs `push` on the image."""
    names = (f"--image={local.repository}", f"--repository={local.repository}", "--allow-dirty")
    with aws.answering(**ecr_registry.answers(aws)) as here:
        yield lambda *arguments: here.launch("push", *names, *arguments)


def test_an_image_arrives_in_a_repository_that_is_made_for_it(push, local, aws, ecr_registry):
    """Scan on push, immutable tags, the revision as its tag; the address is all of standard output."""
    local.build("0123456789ab")
    ended = push()
    assert ended.code == 0, ended.err
    assert ended.out == f"{HOST}/{local.repository}:cpu-0123456789ab\n"
    (repository,) = aws.client("ecr").describe_repositories()["repositories"]
    assert repository["repositoryName"] == local.repository
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    own = docker("image", "inspect", "--format={{.Id}}", f"{local.repository}:cpu").stdout
    docker("rmi", "--force", f"{local.repository}:cpu")
    assert docker("images", "--quiet", f"{HOST}/{local.repository}").stdout == "", "a name stays behind"
    pulled = docker("pull", f"{HOST}/{local.repository}:cpu-0123456789ab", check=False)
    assert pulled.returncode, "a login stays"
    # What the engine says of it is the end of several tries; that it was not let in follows from that we are.
    assert ecr_registry.get_manifest(local.repository, "cpu-0123456789ab", DOCKER_MANIFEST)
    assert own.startswith("sha256:")


def test_a_second_push_of_a_revision_does_nothing_and_says_so(push, local, aws):
    """The same image, and another build of it."""
    local.build("0123456789ab")
    assert push().code == 0
    again = push()
    assert (again.code, again.out) == (0, f"{HOST}/{local.repository}:cpu-0123456789ab\n")
    assert "exists already: nothing to push" in again.err
    assert "another build" not in again.err
    local.build("0123456789ab", content="built again")
    assert "another build of the same revision" in push().err
    assert aws.operations().count("CreateRepository") == 1


def test_a_dry_run_changes_nothing(push, local, aws):
    """It says what would be made and pushed."""
    local.build("0123456789ab")
    ended = push("--dry-run")
    assert (ended.code, ended.out) == (0, "")
    assert f"would push {local.repository}:cpu as {HOST}/{local.repository}:cpu-0123456789ab" in ended.err
    assert aws.operations().count("CreateRepository") == 0


def test_an_image_for_other_machines_is_refused_before_it_is_pushed(push, local, aws):
    """arm64 would end as `exec format error` in a billed job."""
    local.build("0123456789ab", platform="linux/arm64")
    ended = push()
    assert ended.code == 2
    assert "The image is for linux/arm64" in ended.err
    assert aws.operations() == []


def test_a_manifest_that_sagemaker_refuses_is_reported_with_the_remedy(push, local, ecr_registry):
    """OCI's form is what newer engines make by themselves."""
    local.build("0123456789ab")
    assert push().code == 0
    manifest = ecr_registry.get_manifest(local.repository, "cpu-0123456789ab", DOCKER_MANIFEST)
    other = json.loads(manifest)
    other["mediaType"] = _OCI_MANIFEST
    other["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    for layer in other["layers"]:
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
    ecr_registry.put_manifest(local.repository, "cpu-fedcba987654", _OCI_MANIFEST, json.dumps(other).encode())
    local.build("fedcba987654")
    ended = push()
    assert ended.code == 2
    assert f"is stored as {_OCI_MANIFEST}" in ended.err
    assert "aws ecr batch-delete-image" in ended.err
    assert "containerd image store" in ended.err


def test_a_tree_with_changes_is_refused_unless_allowed(aws, local):
    """A tag names a revision, so what is pushed under it must be that revision."""
    local.build("0123456789ab-dirty")
    ended = aws.launch("push", f"--image={local.repository}")
    assert ended.code == 2
    assert "uncommitted changes" in ended.err
    local.build("0123456789ab")
    ended = aws.launch("push", f"--image={local.repository}")
    assert ended.code == 2
    assert f"built from 0123456789ab, but the files here are at {head_of()}" in ended.err
