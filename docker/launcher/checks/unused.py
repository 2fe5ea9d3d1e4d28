"""Settings that were given and do nothing: none is ignored silently.

Only those typed for this command are refused: file and environment serve all commands and modes.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from launcher.findings import Finding, fail, warn
from launcher.settings.account import AccountSettings
from launcher.settings.inference import DeploySettings
from launcher.settings.instances import has_own_disk
from launcher.settings.workload import WorkloadSettings

_STEP = 1024  # MB of a serverless endpoint's memory
# What a serverless endpoint lacks. Settings that would promise something else (a private network, encryption) are
# refused; what concerns its instances merely does nothing.
_LACKS = {
    "subnets": "VPC", "security_group_ids": "VPC", "network_isolation": "network isolation",
    "volume_kms_key": "disk key", "volume_size": "disk size", "inference_ami_version": "inference AMI",
    "capture": "data capture",
}  # fmt: skip
_OF_INSTANCES = ("instance_type", "instance_count", "startup_timeout", "download_timeout", "hourly_price")
_OF_METRICS = ("metrics", "metrics_interval")
_FOR_SERVERLESS = dict.fromkeys(("memory_size", "max_concurrency"), "it is for MODE=serverless")
_FOR_ASYNC = dict.fromkeys(("async_concurrency", "invocation_timeout"), "it is for MODE=async")
_IN_S3 = ("s3_prefix", "output_kms_key")


def without_unusable(settings: DeploySettings) -> tuple[DeploySettings, list[Finding]]:
    """Reset settings from file or environment that are for other endpoints; return them with a doubt for each."""
    if settings.is_serverless:
        reasons = {name: f"a serverless endpoint has no {what}" for name, what in _LACKS.items()}
        reasons |= {"flavour": "a serverless endpoint has no GPU"} if settings.flavour == "gpu" else {}
    else:
        reasons = _own_disk(settings)
    untyped = {name: reason for name, reason in reasons.items() if name in settings.given - settings.typed}
    defaults: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(settings) if field.name in untyped
    }
    findings = [
        warn("settings", f"{name.upper()} is ignored: {untyped[name]}")
        for name in untyped
        if getattr(settings, name) != defaults[name]
    ]
    given = settings.given - set(untyped)
    return dataclasses.replace(settings, **defaults, given=given), findings


def check_unused(
    settings: AccountSettings, reasons: Mapping[str, str], remedy: str = "Leave it out."
) -> Iterator[Finding]:
    """Refuse every typed setting that does nothing here.

    Args:
        reasons: why a setting does nothing here, by its name.
    """
    for name, reason in reasons.items():
        if name in settings.typed:
            yield fail("settings", f"{name.upper()} would do nothing: {reason}", remedy)


def check_image_settings(settings: WorkloadSettings) -> Iterator[Finding]:
    """Refuse parts of the image's address beside the whole address."""
    if settings.image_uri:
        reason = "IMAGE_URI names the image"
        yield from check_unused(settings, {"image_tag": reason, "repository": reason})


def check_deploy_settings(settings: DeploySettings) -> Iterator[Finding]:
    """Refuse settings that were typed for another mode than the endpoint's."""
    if settings.is_serverless:
        yield from check_unused(
            settings,
            dict.fromkeys(
                (*_OF_INSTANCES, *_OF_METRICS), "a serverless endpoint has no instances of its own"
            ),
        )
        yield from check_serverless(settings)
    else:
        no_metrics = {"metrics_interval": "METRICS=off publishes none"} if settings.metrics == "off" else {}
        yield from check_unused(settings, {**_FOR_SERVERLESS, **_own_disk(settings), **no_metrics})
    if settings.mode == "async":
        yield from check_unused(
            settings, {"capture": "an asynchronous endpoint has all texts and answers in S3"}
        )
        return
    yield from check_unused(settings, _FOR_ASYNC)
    for name in settings.typed.intersection(_IN_S3) if not settings.capture else ():
        yield warn("settings", f"{name.upper()} does nothing: only MODE=async and CAPTURE write in S3")


def check_serverless(settings: DeploySettings) -> Iterator[Finding]:
    """Refuse what a serverless endpoint lacks, and memory between its steps."""
    if settings.memory_size % _STEP:
        yield fail(
            "memory", f"MEMORY_SIZE={settings.memory_size} is no multiple of {_STEP}", "Give 1024 to 6144 MB."
        )
    absent = list(dict.fromkeys(what for name, what in _LACKS.items() if getattr(settings, name)))
    for what in [*absent, *(["flavour gpu"] if settings.image_flavour == "gpu" else [])]:
        yield fail("mode", f"a serverless endpoint has no {what}", "Leave it out, or give MODE=realtime.")


def _own_disk(settings: DeploySettings) -> dict[str, str]:
    reason = f"{settings.instance_type} has its own disk, for which SageMaker takes no size"
    return {"volume_size": reason} if has_own_disk(settings.instance_type) else {}
