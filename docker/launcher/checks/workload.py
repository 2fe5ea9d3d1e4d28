"""Checks of settings that jobs and endpoints share, without asking AWS: instances, VPC, tags."""

from collections.abc import Iterator, Mapping, Sequence

from bert_classifier.job.settings import shown
from launcher.checks.image import OLDEST_GPU
from launcher.findings import Finding, fail, ok, warn
from launcher.settings import own_tag
from launcher.settings.instances import AS_OF, host_of, nearest_type
from launcher.settings.workload import WorkloadSettings


def check_instance(settings: WorkloadSettings, known: Sequence[str], use: str) -> Iterator[Finding]:
    """Check that the instance type exists and that the image runs on it.

    Args:
        known: the types that this version of the API names.
        use: what the instances are for, as a message says it.
    """
    name = settings.instance_type
    if name in known:
        yield from check_host(settings)
        return
    close = nearest_type(name, known)
    remedy = f"Did you mean {close}?" if close else f"Give one that SageMaker has for {use}."
    yield fail("instance", f"SageMaker has no {shown(name)} for {use}", remedy)


def check_host(settings: WorkloadSettings) -> Iterator[Finding]:
    """Check that this project's images have software for an instance type's hardware."""
    name, host = settings.instance_type, host_of(settings.instance_type)
    if host is None:
        yield warn(
            "instance", f"{name} is of a family that this program does not know (its table is of {AS_OF}), so whether"
            " the image runs on its processor and GPU was not checked",
            "Make sure that it has an x86-64 processor, and no GPU older than Turing; or give a known type.",
        )  # fmt: skip
    elif host.accelerator:
        message = f"{name} has {host.accelerator}, which this project's images have no software for"
        if settings.image_uri:
            yield warn("instance", message, "Make sure that the image of IMAGE_URI is built for them.")
        else:
            yield fail("instance", message, "Give ml.g… with GPUs, or ml.m… or ml.c… without.")
    elif host.architecture != "amd64" and not settings.image_uri:
        remedy = "Give ml.g4dn… or ml.g5…." if host.gpu else "Give ml.m5… or ml.c5…."
        yield fail("instance", f"{name} is an ARM machine, but the image is for x86-64", remedy)
    elif settings.flavour == "cpu" and host.gpu:
        too_old = host.capability < OLDEST_GPU and not settings.image_uri
        remedy = "an instance without GPU, or a newer GPU with FLAVOUR=gpu" if too_old else "FLAVOUR=gpu"
        yield fail("instance", f"{name} has GPUs, which the flavour cpu leaves idle", f"Give {remedy}.")
    else:
        yield ok("instance", f"{settings.instance_count} × {name}")


def check_vpc(settings: WorkloadSettings) -> Iterator[Finding]:
    """Check that subnets and security groups are given together."""
    if bool(settings.subnets) != bool(settings.security_group_ids):
        yield fail("network", "SUBNETS and SECURITY_GROUP_IDS go together", "Give both, or neither.")


def check_tags(settings: WorkloadSettings) -> Iterator[Finding]:
    """Check that AWS accepts the tags."""
    reserved = [name for name, _ in settings.tags if name.lower().startswith("aws:")]
    if reserved:
        yield fail("tags", f"{reserved[0]} begins with aws:, which AWS reserves", "Use another name.")
    if "tags" in settings.given:  # an existing endpoint may have what it likes
        yield from _check_own_tag(dict(settings.tags))


def _check_own_tag(tags: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the launcher's own tag keeps its value and its room."""
    if tags.get(own_tag.KEY, own_tag.VALUE) != own_tag.VALUE:
        message = f"{own_tag.KEY} is the launcher's own tag, by which clean-up knows what it may remove"
        yield fail("tags", message, "Use another name.")
    count = len({*tags, own_tag.KEY})
    if count > own_tag.MOST_TAGS:
        message = f"with the launcher's own, {own_tag.KEY}, there are {count} tags"
        most, own = own_tag.MOST_TAGS, "that one among them"
        remedy = f"A resource has at most {most}, {own}: leave {count - most} of TAGS out."
        yield fail("tags", message, remedy)
