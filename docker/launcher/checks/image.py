"""Whether an image exists in ECR and runs on an instance type: processor, GPU, driver."""

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from bert_classifier.errors import PlatformError
from bert_classifier.job.cuda_kernels import has_kernels_for
from launcher.aws import ecr
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.instances import NEWEST_BATCH_AMI, Host, host_of
from launcher.settings.workload import WorkloadSettings

# Labels that docker/build.sh gives an image whose torch is built for GPUs.
CUDA_LABEL = "bert-classifier.cuda-version"
ARCHITECTURES_LABEL = "bert-classifier.cuda-architectures"
LEAST_DRIVER_LABEL = "bert-classifier.cuda-least-driver"  # with NVIDIA's libraries for forward compatibility
_FLAVOUR_LABEL = "org.opencontainers.image.version"
# gpu images older than these labels have CUDA 13.0, which supports no GPU before Turing.
_FORMER_CUDA, OLDEST_GPU = "13.0", (7, 5)
# Oldest line of the NVIDIA driver by CUDA's major version: docs.nvidia.com/deploy/cuda-compatibility, 2026-11.
_LEAST_DRIVER = {"11": 450, "12": 525, "13": 580}
_NEWER_GPU = "Give INSTANCE_TYPE with a newer GPU, such as ml.g4dn.xlarge or ml.g5.xlarge."


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What an image's configuration says.

    Attributes:
        platform: such as linux/amd64; "" when the configuration could not be read.
        flavour: cpu or gpu; "" for another kind of image.
        cuda: CUDA version of its torch; "" without CUDA or label.
        architectures: GPUs that its torch has kernels for, such as sm_75; empty without a label.
        least_driver: oldest line of the driver, if its compatibility libraries lower it; 0 without a label.
    """

    platform: str = ""
    flavour: str = ""
    cuda: str = ""
    architectures: tuple[str, ...] = ()
    least_driver: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "ImageFacts":
        """Read an image's configuration; an empty one yields no facts."""
        labels = (config.get("config") or {}).get("Labels") or {}
        platform = f"{config['os']}/{config['architecture']}" if "architecture" in config else ""
        return cls(
            platform,
            labels.get(_FLAVOUR_LABEL, "") if labels.get(_FLAVOUR_LABEL) in ("cpu", "gpu") else "",
            labels.get(CUDA_LABEL, ""),
            tuple(labels.get(ARCHITECTURES_LABEL, "").split()),
            int(labels.get(LEAST_DRIVER_LABEL, "") or 0),
        )


@dataclasses.dataclass(frozen=True)
class Driver:
    """The NVIDIA driver of the hosts, if it is known.

    Attributes:
        line: such as 580; 0 when it is not known.
        source: which host software has it, or why it is not known; "" where nothing is known, as for training.
        remedy: how to get a newer one.
        oldest: what it may be where `line` is only the newest that it may be; 0 where `line` is certain.
    """

    line: int = 0
    source: str = ""
    remedy: str = ""
    oldest: int = 0


def check_image(
    account: Account,
    uri: str,
    settings: WorkloadSettings,
    driver: Driver | None = None,
    others: Sequence[str] = (),
) -> Iterator[Finding]:
    """Check that the image exists in this region, that SageMaker can start it, and that it fits the instances.

    Args:
        others: further instance types that it may run on.
    """
    facts = yield from _look_up(account, uri)
    yield from check_fit(facts, settings, driver)
    for name in others:
        yield from check_fit(facts, settings.on(name), driver)


def _look_up(account: Account, uri: str) -> Generator[Finding, None, ImageFacts]:
    """Yield what ECR says about an image; return what the image says about itself."""
    image = ecr.ImageName.of(uri)
    if image is None:
        yield fail(
            "image", f"{uri} is not an address in ECR with a tag or digest",
            "Write ACCOUNT.dkr.ecr.REGION.amazonaws.com/repository:tag.",
        )  # fmt: skip
        return ImageFacts()
    if image.region != account.region:
        yield fail(
            "image", f"it is in {image.region}, but the job would run in {account.region}",
            f"Push it there: make push REGION={account.region}.",
        )  # fmt: skip
        return ImageFacts()
    found = ecr.describe_image(account, image)
    if found is None:
        yield fail("image", f"{uri} does not exist", _push_it(account, image))
        return ImageFacts()
    media_type = found.get("imageManifestMediaType", "")
    if media_type and media_type != ecr.DOCKER_MANIFEST:
        yield fail(
            "image", f"{uri} is stored as {media_type}, not {ecr.DOCKER_MANIFEST}", "Build and push it again."
        )
        return ImageFacts()
    facts = ImageFacts()
    with contextlib.suppress(*AWS_ERRORS, PlatformError):
        if manifest := ecr.find_manifest(account, image):
            facts = ImageFacts.of(ecr.read_config(account, image, manifest))
    megabytes = found.get("imageSizeInBytes", 0) / 1e6
    yield ok("image", f"{uri} ({megabytes:.0f} MB compressed, {facts.platform or 'architecture unknown'})")
    return facts


def _push_it(account: Account, image: ecr.ImageName) -> str:
    flavour = image.tag.partition("-")[0]
    hint = f"Push it: make push TAG={flavour}." if flavour in ("cpu", "gpu") else "Push it: make push."
    newest = ecr.newest_tag(account, image.repository, flavour)
    return f"{hint} The newest tag in ECR: IMAGE_TAG={newest}." if newest else hint


def check_fit(
    facts: ImageFacts, settings: WorkloadSettings, driver: Driver | None = None
) -> Iterator[Finding]:
    """Check that an image runs on the instances, and uses the hardware that is paid for."""
    is_own = not settings.image_uri
    flavour = facts.flavour or (settings.image_flavour if is_own else "")
    host, name = host_of(settings.instance_type), settings.instance_type
    if host and host.gpu and not settings.wants_gpu:
        host, name = Host(), "a serverless endpoint"  # the instance type is for other commands
    yield from _check_platform(facts, host, is_own=is_own)
    if host is None:
        return  # check_instance reports unknown types
    if not host.gpu and (facts.cuda or flavour == "gpu"):
        yield warn(
            "gpu", f"{name} has no GPU, so the image's build for GPUs computes on its CPU",
            "The flavour cpu is much smaller: FLAVOUR=cpu.",
        )  # fmt: skip
    elif host.gpu and flavour == "cpu" and settings.flavour != "cpu":
        yield warn(
            "gpu", f"{name} has a GPU, which stays idle because this image's torch is built for CPUs",
            "Give an image of the flavour gpu, or an instance without GPU, which costs less.",
        )  # fmt: skip
    elif host.gpu and flavour != "cpu":
        yield from _check_kernels(facts, name, host, is_own=is_own)
        cuda = facts.cuda or (_FORMER_CUDA if is_own else "")
        yield from _check_driver(cuda, facts.least_driver, driver or Driver())


def _check_platform(facts: ImageFacts, host: Host | None, *, is_own: bool) -> Iterator[Finding]:
    """Check that the image is for the instance's processor; check_host reports that our own needs x86-64."""
    wanted = f"linux/{host.architecture if host and not is_own else 'amd64'}"
    if facts.platform and facts.platform != wanted:
        remedy = (
            "Build it for linux/amd64: make build." if is_own else "Give an image or INSTANCE_TYPE that fits."
        )
        yield fail("image", f"it is for {facts.platform}, but the instance is {wanted}", remedy)


def _check_kernels(facts: ImageFacts, name: str, host: Host, *, is_own: bool) -> Iterator[Finding]:
    gpu = f"{host.gpu} (compute capability {host.capability[0]}.{host.capability[1]}) of {name}"
    if facts.architectures:
        kernels = ", ".join(facts.architectures)
        if has_kernels_for(facts.architectures, host.capability):
            yield ok("gpu", f"{gpu}: the image's torch has kernels for it")
        else:
            yield fail("gpu", f"the image's torch has no kernels for the {gpu}: {kernels}", _NEWER_GPU)
    elif is_own and host.capability < OLDEST_GPU:
        yield fail("gpu", f"torch for CUDA {_FORMER_CUDA} has no kernels for the {gpu}", _NEWER_GPU)
    else:
        yield warn(
            "gpu", f"whether the image has kernels for the {gpu} could not be checked: it has no label"
            f" {ARCHITECTURES_LABEL}, or its configuration could not be read",
            "make build and make push give it the label." if is_own else "Make sure that its torch supports it.",
        )  # fmt: skip


def _check_driver(cuda: str, least_driver: int, driver: Driver) -> Iterator[Finding]:
    least = least_driver or _LEAST_DRIVER.get(cuda.partition(".")[0], 0)
    if driver.line and least and driver.line < least:
        message = f"{driver.source} {driver.line}, but the image's CUDA {cuda} needs {least}: its GPU would stay idle"
        yield fail("driver", message, driver.remedy)
    elif least_driver and 0 < driver.oldest < least_driver:
        message = (
            f"the host may have driver {driver.oldest}, but the image needs {least}: its GPU would stay idle"
        )
        yield fail("driver", message, f"Give TRANSFORM_AMI_VERSION={NEWEST_BATCH_AMI}.")
    elif driver.source and not driver.line:
        yield warn("driver", driver.source, driver.remedy)
