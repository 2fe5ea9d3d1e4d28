"""How a model package of SageMaker's Model Registry is named: a group, group:version, or an ARN."""

import re
from typing import Any

from launcher.settings.fields import text

_GROUP = r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}"
_ARN = r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/"
_PACKAGE = re.compile(rf"(?:{_ARN})?({_GROUP})(?:[:/]([1-9]\d{{0,8}}))?")


def model_package(help: str) -> Any:
    """Return a dataclass field for a model package."""
    return text("", "a model package group, group:version or an ARN", help, _PACKAGE.pattern)


def group_and_version(name: str) -> tuple[str, int | None]:
    """Return the group that a model package's name begins with, and the version that it names, if any."""
    match = _PACKAGE.fullmatch(name)
    assert match, "the setting accepts no other form"
    return match[1], int(match[2]) if match[2] else None
