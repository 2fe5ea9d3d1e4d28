"""Whether an image runs on an instance type: processor, GPU, driver, by what the image says of itself and the table."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from bert_classifier.job.cuda_kernels import has_kernels_for
from launcher.aws.instances import Host, host_of
from launcher.findings import Finding, fail, ok, warn
from launcher.settings.work import WorkSettings

# Labels that docker/build.sh gives an image with torch's build for GPUs.
CUDA_LABEL = "bert-classifier.cuda-version"
ARCHITECTURES_LABEL = "bert-classifier.cuda-architectures"
_FLAVOUR_LABEL = "org.opencontainers.image.version"
# Of the gpu images that were built before these labels: CUDA 13.0, which has nothing older than Turing.
_FORMER_CUDA, OLDEST_GPU = "13.0", (7, 5)
# Least line of the NVIDIA driver by CUDA's major version: docs.nvidia.com/deploy/cuda-compatibility, 2026-11.
_LEAST_DRIVER = {"11": 450, "12": 525, "13": 580}
_NEWER_GPU = "Give INSTANCE_TYPE with a newer GPU, such as ml.g4dn.xlarge or ml.g5.xlarge."


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What an image is built for, as far as it says so.

    Attributes:
        platform: such as linux/amd64; "" when it could not be looked at.
        flavour: cpu or gpu; "" for an image of another kind.
        cuda: CUDA version of its torch; "" without one, or when it does not say.
        architectures: GPUs that its torch has kernels for, such as sm_75; empty when it does not say.
    """

    platform: str = ""
    flavour: str = ""
    cuda: str = ""
    architectures: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "ImageFacts":
        """Read them from an image's configuration; an empty one, which nobody could read, says nothing."""
        labels = (config.get("config") or {}).get("Labels") or {}
        platform = f"{config['os']}/{config['architecture']}" if "architecture" in config else ""
        return cls(
            platform,
            labels.get(_FLAVOUR_LABEL, "") if labels.get(_FLAVOUR_LABEL) in ("cpu", "gpu") else "",
            labels.get(CUDA_LABEL, ""),
            tuple(labels.get(ARCHITECTURES_LABEL, "").split()),
        )


@dataclasses.dataclass(frozen=True)
class Driver:
    """What is known of a host's NVIDIA driver.

    Attributes:
        line: such as 580; 0 when it is not known.
        told: which host has it, and how that is known.
        remedy: how to come to a newer one.
    """

    line: int = 0
    told: str = ""
    remedy: str = ""


def check_fit(facts: ImageFacts, settings: WorkSettings, driver: Driver | None = None) -> Iterator[Finding]:
    """Yield whether an image runs on the instances of a job or endpoint, and uses what is paid for.

    Args:
        driver: of the hosts; None where nothing is known, as of training.
    """
    is_own = not settings.image_uri
    flavour = facts.flavour or (settings.image_flavour if is_own else "")
    host, name = host_of(settings.instance_type), settings.instance_type
    if host and host.gpu and not settings.wants_gpu:
        host, name = Host(), "a serverless endpoint"  # whatever the type that other commands are told
    yield from _check_platform(facts, host, is_own=is_own)
    if host is None:
        return  # whether there is such a type, and that it is not in the table, is told with the settings
    if not host.gpu and (facts.cuda or flavour == "gpu"):
        yield warn(
            "gpu", f"{name} has no GPU, so the image's build for GPUs computes on its CPU",
            "The flavour cpu is much smaller: FLAVOUR=cpu.",
        )  # fmt: skip
    elif host.gpu and flavour == "cpu" and settings.flavour != "cpu":
        yield warn(
            "gpu", f"{name} has a GPU, which this image's torch, built for CPUs, leaves idle",
            "Give an image of the flavour gpu, or an instance without GPU, which costs less.",
        )  # fmt: skip
    elif host.gpu and flavour != "cpu":
        yield from _check_kernels(facts, name, host, is_own=is_own)
        yield from _check_driver(facts.cuda or (_FORMER_CUDA if is_own else ""), driver or Driver())


def _check_platform(facts: ImageFacts, host: Host | None, *, is_own: bool) -> Iterator[Finding]:
    """Yield when an image is for another processor; that ours is for x86-64 alone is told with the settings."""
    wanted = f"linux/{host.architecture if host and not is_own else 'amd64'}"
    if facts.platform and facts.platform != wanted:
        remedy = (
            "Build it for linux/amd64: make build." if is_own else "Give an image or INSTANCE_TYPE that fits."
        )
        yield fail("image", f"it is for {facts.platform}, the instance is {wanted}", remedy)


def _check_kernels(facts: ImageFacts, name: str, host: Host, *, is_own: bool) -> Iterator[Finding]:
    gpu = f"{host.gpu} (compute capability {host.capability[0]}.{host.capability[1]})"
    if facts.architectures:
        kernels = ", ".join(facts.architectures)
        if has_kernels_for(facts.architectures, host.capability):
            yield ok("gpu", f"{gpu} of {name}: the image's torch has kernels for it")
        else:
            yield fail(
                "gpu", f"the image's torch has no kernels for the {gpu} of {name}: {kernels}", _NEWER_GPU
            )
    elif is_own and host.capability < OLDEST_GPU:
        yield fail("gpu", f"torch for CUDA {_FORMER_CUDA} has no kernels for the {gpu} of {name}", _NEWER_GPU)
    else:
        yield warn(
            "gpu", f"whether the image has kernels for the {gpu} of {name} could not be checked: it has no label"
            f" {ARCHITECTURES_LABEL}, or could not be looked at",
            "make build and make push give it one." if is_own else "See that its torch is built for it.",
        )  # fmt: skip


def _check_driver(cuda: str, driver: Driver) -> Iterator[Finding]:
    least = _LEAST_DRIVER.get(cuda.partition(".")[0], 0)
    if driver.line and least and driver.line < least:
        told = f"{driver.told} {driver.line}, the image's CUDA {cuda} needs {least}: its GPU would be paid for, unused"
        yield fail("driver", told, driver.remedy)
    elif driver.told and not driver.line:
        yield warn("driver", driver.told, driver.remedy)
