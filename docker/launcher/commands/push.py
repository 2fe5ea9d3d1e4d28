"""`push`: push the local image to ECR, tagged with the revision that it was built from."""

import dataclasses
import re
from typing import Any

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.settings import boolean
from launcher import revision
from launcher.aws import ecr
from launcher.aws.account import Account
from launcher.command import Command, say
from launcher.engine import Engine
from launcher.settings.fields import text
from launcher.settings.workload import ImageSettings

_REVISION = re.compile(r"[0-9a-f]{7,40}(-dirty)?")
_LABELS = "org.opencontainers.image."
_DIGEST_LABEL = "bert-classifier.program-digest"  # of docker/build.sh


@dataclasses.dataclass(frozen=True, kw_only=True)
class PushSettings(ImageSettings):
    """The settings of `push`."""

    image: str = text("bert-classifier", "the name of a local image", "Name of the local image, without tag.")
    tag: str = text(
        "cpu", "a tag", "Tag of the local image; make build uses its flavour.", r"\w[\w.-]{0,127}"
    )
    allow_dirty: bool = boolean(False, "Push an image of uncommitted files.")


def run(settings: PushSettings, account: Account) -> int:
    """Push the image, unless it is in ECR already; print its address."""
    with Engine(account.environ) as engine:
        local = engine.inspect(f"{settings.image}:{settings.tag}")
        tag = tag_of(local, settings.allow_dirty, revision.head_of(), revision.tree_digest())
        repository = _repository(settings, account)
        uri = f"{repository}:{tag}"
        if settings.dry_run:
            say(f"would push {settings.image}:{settings.tag} as {uri}")
            return 0
        image = ecr.ImageName(account.number, account.region, settings.repository, tag, "")
        manifest = ecr.find_manifest(account, image)
        if manifest is not None:
            say_exists(uri, manifest, local)
        else:
            engine.log_in(ecr.registry_host(account), *ecr.credentials(account))
            engine.push(f"{settings.image}:{settings.tag}", uri)
            manifest = ecr.find_manifest(account, image)
    if manifest is None:
        raise PlatformError(f"{uri} was pushed, but ECR does not know it.", "Push again.")
    _check(account, image, manifest)
    say(f"{manifest.digest}, a single image for linux/amd64 in Docker's format, as SageMaker needs it")
    print(uri)
    return 0


def tag_of(local: dict[str, Any], allow_dirty: bool, head: str, digest: str = "") -> str:
    """Return the tag of an image in ECR, `flavour-revision`, from the labels that `make build` gave it.

    Args:
        local: as `docker image inspect` describes it.
        head: the repository's revision now; "" when unknown.
        digest: of the program's files now; "" when unknown.
    Raises:
        UserError: for another architecture, an image of something else, or uncommitted sources.
    """
    labels = local.get("Config", {}).get("Labels") or {}
    flavour, built_from = labels.get(f"{_LABELS}version", ""), labels.get(f"{_LABELS}revision", "")
    if (local.get("Os"), local.get("Architecture")) != ("linux", "amd64"):
        raise UserError(
            f"The image is for {local.get('Os')}/{local.get('Architecture')}, SageMaker's instances are linux/amd64.",
            "Build it with `make build`, which sets the platform.",
        )
    if flavour not in ("cpu", "gpu") or not _REVISION.fullmatch(built_from):
        raise UserError(
            f"The image does not say which revision it was built from ({built_from or 'no label'}).",
            "Commit, and build it with `make build` in the git repository.",
        )
    if built_from.endswith("-dirty") and not allow_dirty:
        raise UserError(
            "The image contains uncommitted changes, so its tag would not identify its content.",
            "Commit and `make build`, or push it anyway with ALLOW_DIRTY=true.",
        )
    if head and built_from != head and not allow_dirty:
        raise UserError(
            f"The image was built from {built_from}, but the files here are at {head}.",
            "Run `make build` again, or push it anyway with ALLOW_DIRTY=true.",
        )
    of_image = labels.get(_DIGEST_LABEL, "")
    if built_from == head and of_image and digest and of_image != digest:
        raise UserError(
            "The image is older than the last change of the files here.", "Run `make build` again."
        )
    return revision.tag(flavour, built_from, of_image)


def _repository(settings: PushSettings, account: Account) -> str:
    """Return the repository's address; create the repository if need be."""
    found = ecr.find_repository(account, settings.repository)
    if found is None and settings.dry_run:
        say(f"would create the repository {settings.repository} (immutable tags, scan on push)")
        return f"{ecr.registry_host(account)}/{settings.repository}"
    if found is None:
        found = ecr.create_repository(account, settings.repository)
        say(f"created the repository {found['repositoryUri']} (immutable tags, scan on push)")
    elif found.get("imageTagMutability") == "MUTABLE":
        say(
            f"note: tags of {settings.repository} are mutable, so a job may run another image than its tag once meant"
        )
    return str(found["repositoryUri"])


def say_exists(uri: str, manifest: ecr.Manifest, local: dict[str, Any]) -> None:
    """Say that nothing is pushed.

    Raises:
        UserError: when an older image of uncommitted files would stay in place of the newer one.
    """
    same = local.get("Id") in (manifest.config_digest, manifest.digest)  # the latter in containerd's store
    if not same and uri.endswith("-dirty"):
        raise UserError(
            f"{uri} is another image of uncommitted files; its tag does not tell them apart.",
            "Commit and `make build`: the new revision gets another tag.",
        )
    say(f"{uri} exists already: nothing to push")
    if not same:
        say("note: it is another build of the same revision than the local image; the one in ECR stays")


def _check(account: Account, image: ecr.ImageName, manifest: ecr.Manifest) -> None:
    """Refuse what SageMaker would refuse, and say how to remove it."""
    name = f"{image.repository}:{image.tag}"
    remove = (
        f"aws ecr batch-delete-image --repository-name {image.repository} --image-ids imageTag={image.tag}"
    )
    if manifest.media_type != ecr.DOCKER_MANIFEST:
        raise UserError(
            f"{name} is stored as {manifest.media_type}; SageMaker's CreateModel takes {ecr.DOCKER_MANIFEST}.",
            f"Remove it ({remove}), switch Docker's containerd image store off, and build and push again.",
        )
    config = ecr.read_config(account, image, manifest)
    if (config.get("os"), config.get("architecture")) != ("linux", "amd64"):
        raise UserError(
            f"{name} is for {config.get('os')}/{config.get('architecture')}, not linux/amd64.",
            f"Remove it ({remove}), and build it with `make build`.",
        )


COMMANDS = (Command("push", "push the image to ECR, and print its address", PushSettings, run),)
