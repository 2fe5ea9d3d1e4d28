"""Settings that somebody typed for a command and that it has no use for: none is ignored in silence.

Only those of the command line: file and environment serve all commands and modes.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from launcher.aws.instances import has_own_disk
from launcher.findings import Finding, fail, warn
from launcher.settings.declare import AccountSettings
from launcher.settings.model import DeploySettings
from launcher.settings.work import WorkSettings

_NO_INSTANCES = "a serverless endpoint has no instances of its own"
_SERVERLESS = {
    "instance_type": _NO_INSTANCES,
    "instance_count": _NO_INSTANCES,
    "startup_timeout": _NO_INSTANCES,
    "download_timeout": _NO_INSTANCES,
    "hourly_price": _NO_INSTANCES,
}
_FOR_SERVERLESS = dict.fromkeys(("memory_size", "max_concurrency"), "it is for MODE=serverless")
_FOR_ASYNC = dict.fromkeys(("async_concurrency", "invocation_timeout"), "it is for MODE=async")
_IN_S3 = dict.fromkeys(("s3_prefix", "output_kms_key"), "only MODE=async reads and writes in S3")

# What some endpoints have not: left out where only file or environment say it, which serve all of them.
_NOT_SERVERLESS = {
    "subnets": "VPC", "security_group_ids": "VPC", "network_isolation": "network isolation",
    "volume_kms_key": "disk key", "volume_size": "disk size", "inference_ami_version": "inference AMI",
}  # fmt: skip


def without_unusable(settings: DeploySettings) -> tuple[DeploySettings, list[Finding]]:
    """Return the settings without what file or environment say for endpoints of another kind, and a word on each."""
    if settings.is_serverless:
        reasons = {name: f"a serverless endpoint has no {what}" for name, what in _NOT_SERVERLESS.items()}
        reasons |= {"flavour": "a serverless endpoint has no GPU"} if settings.flavour == "gpu" else {}
    else:
        reasons = _own_disk(settings)
    untyped = {name: reason for name, reason in reasons.items() if name in settings.given - settings.typed}
    defaults: dict[str, Any] = {
        field.name: field.default for field in dataclasses.fields(settings) if field.name in untyped
    }
    left = [name for name in untyped if getattr(settings, name) != defaults[name]]
    given = settings.given - set(untyped)
    findings = [warn("settings", f"{name.upper()} is left out: {untyped[name]}") for name in left]
    return dataclasses.replace(settings, **defaults, given=given), findings


def _own_disk(settings: DeploySettings) -> dict[str, str]:
    told = f"{settings.instance_type} has a disk of its own, beside which SageMaker takes no size"
    return {"volume_size": told} if has_own_disk(settings.instance_type) else {}


def check_idle(settings: AccountSettings, reasons: Mapping[str, str]) -> Iterator[Finding]:
    """Yield every setting that was typed in vain.

    Args:
        reasons: why a setting does nothing here, by its name.
    """
    for name, reason in reasons.items():
        if name in settings.typed:
            yield fail("settings", f"{name.upper()} would do nothing: {reason}", "Leave it out.")


def check_image_settings(settings: WorkSettings) -> Iterator[Finding]:
    """Yield what is typed of the image beside its whole address."""
    if settings.image_uri:
        reason = "IMAGE_URI names the image"
        yield from check_idle(settings, {"image_tag": reason, "repository": reason})


def check_deploy_settings(settings: DeploySettings) -> Iterator[Finding]:
    """Yield what is typed for another mode than that of the endpoint."""
    yield from check_idle(
        settings, _SERVERLESS if settings.is_serverless else {**_FOR_SERVERLESS, **_own_disk(settings)}
    )
    if settings.mode != "async":
        yield from check_idle(settings, _FOR_ASYNC)
        for name in settings.typed & _IN_S3.keys():
            yield warn("settings", f"{name.upper()} does nothing: {_IN_S3[name]}")
