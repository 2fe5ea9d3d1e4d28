"""`push`: the image that was built goes to ECR, under the revision that it was built from."""

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import Any

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.settings import boolean
from launcher.aws import ecr
from launcher.aws.account import Account
from launcher.aws.registry import DOCKER_MANIFEST, Manifest, Registry
from launcher.command import Command, say
from launcher.engine import Engine
from launcher.settings.declare import AccountSettings, text

REPOSITORY_FOLDER = Path(__file__).resolve().parents[3]
REPOSITORY = r"[a-z0-9]+([._/-][a-z0-9]+)*"
_DIGITS = 12  # of a digest, in a tag
_REVISION = re.compile(r"[0-9a-f]{7,40}(-dirty)?")
_LABELS = "org.opencontainers.image."
_DIGEST_LABEL = "bert-classifier.program-digest"  # of docker/build.sh


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings(AccountSettings):
    """Which image, for all commands that need one."""

    repository: str = text(
        "bert-classifier", "a name in lower case", "Repository in ECR.", REPOSITORY, longest=256
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PushSettings(ImageSettings):
    """What `push` can be told."""

    image: str = text("bert-classifier", "the name of a local image", "The local image's name, without tag.")
    tag: str = text(
        "cpu", "a tag", "The local image's tag; make build gives its flavour.", r"\w[\w.-]{0,127}"
    )
    allow_dirty: bool = boolean(False, "Push an image of files that are not committed.")


def run(settings: PushSettings, account: Account) -> int:
    """Push the image, unless it is there; print its address in ECR."""
    with Engine(account.environ) as engine:
        local = engine.inspect(f"{settings.image}:{settings.tag}")
        remote_tag = tag_of(local, settings.allow_dirty, head_of(REPOSITORY_FOLDER), tree_digest())
        repository = _repository(settings, account)
        uri = f"{repository['repositoryUri']}:{remote_tag}"
        if settings.dry_run:
            say(f"would push {settings.image}:{settings.tag} as {uri}")
            return 0
        registry = ecr.log_in(account, uri.partition("/")[0])
        manifest = registry.manifest(settings.repository, remote_tag)
        if manifest is not None:
            _say_it_is_there(uri, manifest, local)
        else:
            engine.log_in(registry)
            engine.push(f"{settings.image}:{settings.tag}", uri)
            manifest = _pushed(registry, settings.repository, remote_tag)
        _check(registry, settings.repository, remote_tag, manifest)
    say(f"{manifest.digest}, one image for linux/amd64 in Docker's form, as SageMaker wants it")
    print(uri)
    return 0


def tag_of(local: dict[str, Any], allow_dirty: bool, head: str, digest: str = "") -> str:
    """Return the tag that an image gets in ECR, `flavour-revision`, by the labels that `make build` gave it.

    Args:
        local: as `docker image inspect` describes it.
        head: the repository's revision now; "" when it is not known.
        digest: of the program's files now; "" when it is not known.
    Raises:
        UserError: for another architecture, an image of something else, or one whose source is not committed.
    """
    labels = local.get("Config", {}).get("Labels") or {}
    flavour, revision = labels.get(f"{_LABELS}version", ""), labels.get(f"{_LABELS}revision", "")
    if (local.get("Os"), local.get("Architecture")) != ("linux", "amd64"):
        raise UserError(
            f"The image is for {local.get('Os')}/{local.get('Architecture')}, SageMaker's instances are linux/amd64.",
            "Build it with `make build`, which names the platform.",
        )
    if flavour not in ("cpu", "gpu") or not _REVISION.fullmatch(revision):
        raise UserError(
            f"The image does not say which revision it was built from ({revision or 'no label'}).",
            "Commit, and build it with `make build` in the git repository.",
        )
    if revision.endswith("-dirty") and not allow_dirty:
        raise UserError(
            "The image holds changes that are not committed, so its tag would name another content.",
            "Commit and `make build`, or push it all the same with ALLOW_DIRTY=true.",
        )
    if head and revision != head and not allow_dirty:
        raise UserError(
            f"The image was built from {revision}, the files here are at {head}.",
            "Run `make build` again, or push it all the same with ALLOW_DIRTY=true.",
        )
    of_image = labels.get(_DIGEST_LABEL, "")
    if revision == head and of_image and digest and of_image != digest:
        raise UserError(
            "The image was built before the files here were last changed.", "Run `make build` again."
        )
    return _tag(flavour, revision, of_image)


def _tag(flavour: str, revision: str, digest: str) -> str:
    """Return the tag of an image; of files that are not committed, the revision alone would name many."""
    told = f"-{digest[:_DIGITS]}" if digest and revision.endswith("-dirty") else ""
    return f"{flavour}-{revision}{told}"


def tree_tag(flavour: str) -> str:
    """Return the tag that `push` gives an image of the files here."""
    head = head_of(REPOSITORY_FOLDER) or "unknown"
    return _tag(flavour, head, tree_digest() if head.endswith("-dirty") else "")


def tree_digest() -> str:
    """Return the digest of the program's files here, as build.sh labels an image with it; "" if there is none."""
    command = [str(REPOSITORY_FOLDER / "docker" / "program_digest.sh")]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()


def head_of(folder: Path) -> str:
    """Return the git revision of a folder as build.sh writes it, with -dirty if need be; "" where there is none."""
    revision = _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    # A file that git does not know yet is in the image all the same.
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "--", "container") if revision else ""
    return f"{revision}-dirty" if new and not revision.endswith("-dirty") else revision


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()


def _repository(settings: PushSettings, account: Account) -> dict[str, Any]:
    found = ecr.find_repository(account, settings.repository)
    if found is None and not settings.dry_run:
        found = ecr.create_repository(account, settings.repository)
        say(f"created the repository {found['repositoryUri']} (immutable tags, scan on push)")
    elif found is None:
        host = f"{account.number}.dkr.ecr.{account.region}.{account.dns_suffix}"
        say(f"would create the repository {settings.repository} (immutable tags, scan on push)")
        found = {"repositoryUri": f"{host}/{settings.repository}"}
    elif found.get("imageTagMutability") == "MUTABLE":
        say(
            f"note: tags of {settings.repository} can be moved to other images; a job may then run what it names not"
        )
    return found


def _say_it_is_there(uri: str, manifest: Manifest, local: dict[str, Any]) -> None:
    """Say that nothing is pushed.

    Raises:
        UserError: when that would leave an older image of uncommitted files where the newer one is meant.
    """
    same = local.get("Id") in (manifest.config_digest, manifest.digest)  # the latter in containerd's store
    if not same and uri.endswith("-dirty"):
        raise UserError(
            f"{uri} holds another image of files that were not committed; its tag does not tell them apart.",
            "Commit and `make build`: the new revision is another tag.",
        )
    say(f"{uri} is there already: nothing to push")
    if not same:
        say("note: it holds another build of the same revision than the local image; the one in ECR stays")


def _pushed(registry: Registry, repository: str, tag: str) -> Manifest:
    manifest = registry.manifest(repository, tag)
    if manifest is None:
        raise PlatformError(
            f"{repository}:{tag} was pushed, but the registry does not know it.", "Push again."
        )
    return manifest


def _check(registry: Registry, repository: str, tag: str, manifest: Manifest) -> None:
    """Refuse what SageMaker would refuse, and say how to get rid of it."""
    remove = f"aws ecr batch-delete-image --repository-name {repository} --image-ids imageTag={tag}"
    if manifest.media_type != DOCKER_MANIFEST:
        raise UserError(
            f"{repository}:{tag} is stored as {manifest.media_type}; SageMaker's CreateModel takes {DOCKER_MANIFEST}.",
            f"Remove it ({remove}), switch Docker's containerd image store off, and build and push again.",
        )
    config = registry.config(repository, manifest)
    if (config.get("os"), config.get("architecture")) != ("linux", "amd64"):
        raise UserError(
            f"{repository}:{tag} is for {config.get('os')}/{config.get('architecture')}, not linux/amd64.",
            f"Remove it ({remove}), and build it with `make build`.",
        )


COMMANDS = (Command("push", "push the image to ECR, and print its address", PushSettings, run),)
